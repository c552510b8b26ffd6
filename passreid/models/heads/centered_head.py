"""What heads of self-distillation share: temperatures, and centers of the teacher's scores."""

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor


class CenteredHead(BaseModule):
    """Temperatures of student and teacher, and the centers of the teacher's scores.

    A loss adds what it sees to ``score_sums`` and ``score_count``; the centers follow once an
    optimiser step.

    Source: `DINO <https://arxiv.org/abs/2104.14294>`_, section 3.1.

    Args:
        num_centers (int): Number of centers.
        out_channels (int): Number K of prototypes.
        student_temperature (float): Defaults to 0.1.
        teacher_temperature (float): Defaults to 0.04.
        warmup_teacher_temperature (float, optional): Value in epoch 0.
        warmup_teacher_temperature_epochs (int): Epochs until the teacher's
            temperature, linear. Defaults to 0.
        warmup_start_epoch (int): Epochs before those, which have the value of
            epoch 0. Defaults to 0.
        center_momentum (float): Weight of the old center. Defaults to 0.9.
        init_cfg (dict, optional): Initialisation config.
    """

    centers: Tensor
    score_sums: Tensor
    score_count: Tensor

    def __init__(
        self,
        num_centers: int,
        out_channels: int,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        warmup_teacher_temperature: float | None = None,
        warmup_teacher_temperature_epochs: int = 0,
        warmup_start_epoch: int = 0,
        center_momentum: float = 0.9,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.student_temperature = student_temperature
        self.final_teacher_temperature = teacher_temperature
        self.warmup_teacher_temperature = warmup_teacher_temperature or teacher_temperature
        self.warmup_epochs = warmup_teacher_temperature_epochs
        self.warmup_start_epoch = warmup_start_epoch
        self.center_momentum = center_momentum
        self.register_buffer('centers', torch.zeros(num_centers, out_channels))
        # What the next update of the centers has to add.
        self.register_buffer('score_sums', torch.zeros_like(self.centers), persistent=False)
        self.register_buffer('score_count', torch.zeros(()), persistent=False)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Set the teacher's temperature of an epoch (from 0)."""
        self.teacher_temperature = self.final_teacher_temperature
        epoch = max(0, epoch - self.warmup_start_epoch)
        if epoch < self.warmup_epochs:
            share = epoch / max(1, self.warmup_epochs - 1)
            start = self.warmup_teacher_temperature
            self.teacher_temperature = start + share * (self.final_teacher_temperature - start)

    @torch.no_grad()
    def update_centers(self) -> None:
        """Move the centers to the mean scores seen since the last call."""
        all_reduce(self.score_sums)
        all_reduce(self.score_count)
        mean = self.score_sums / self.score_count
        self.centers.lerp_(mean, 1 - self.center_momentum)
        self.score_sums.zero_()
        self.score_count.zero_()
