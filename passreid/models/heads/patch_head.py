"""Loss of masked patches."""

import torch
from torch import Tensor

from passreid.registry import MODELS

from ..losses import inverse_norms, masked_cross_entropy
from .centered_head import CenteredHead


@MODELS.register_module()
class PatchHead(CenteredHead):
    """Self-distillation loss of masked patches: the teacher saw what the student has to infer.

    The teacher's assignments are centered and sharpened; the center follows the
    mean score of all patches, masked or not, once an optimiser step.

    Source: `iBOT <https://arxiv.org/abs/2111.07832>`_, section 3.1.

    Args:
        out_channels (int): Number K of prototypes. Defaults to 65536.
        loss_weight (float): Factor of the loss. Defaults to 1.
        **kwargs: Of :class:`CenteredHead`.
    """

    def __init__(self, out_channels: int = 65536, loss_weight: float = 1.0, **kwargs) -> None:
        super().__init__(1, out_channels, **kwargs)
        self.loss_weight = loss_weight

    def loss(
        self,
        student: Tensor,
        student_prototypes: Tensor,
        teacher: Tensor,
        teacher_prototypes: Tensor,
        positions: Tensor,
        weights: Tensor,
    ) -> dict[str, Tensor]:
        """Compute ``loss_patch``: mean over the masked patches of a view, then over all views.

        Views without a mask count with a loss of 0.

        Args:
            student (Tensor): Embeddings of the masked patches ``(R, D)``.
            student_prototypes (Tensor): Prototypes ``(K, D)``, used at unit length.
            teacher (Tensor): Embeddings of all patches ``(V, N, D)`` of V views.
            teacher_prototypes (Tensor): Prototypes ``(K, D)``, used at unit length.
            positions (Tensor): See :func:`masked_positions`.
            weights (Tensor): See :func:`masked_positions`.
        """
        num_views, rows = len(teacher), teacher.flatten(0, 1)
        with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
            # Scores are linear: their sum is the score of the sum.
            scores = teacher_prototypes @ rows.sum(0)
            self.score_sums[0] += scores * inverse_norms(teacher_prototypes)[:, 0]
            self.score_count += len(rows)
        total = masked_cross_entropy(
            student,
            student_prototypes,
            rows.index_select(0, positions),
            teacher_prototypes,
            self.centers[0],
            weights,
            self.student_temperature,
            self.teacher_temperature,
            normalize=True,
        )
        return {'loss_patch': total * (self.loss_weight / num_views)}


def masked_positions(masks: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give the places of the masked ones among all patches, and the weight of each, one by number.

    Args:
        masks (Tensor): Masks ``(V, h, w)``, bool; on the CPU, or this waits for the device.
        device (torch.device): Where the results are to be.

    Returns:
        tuple[Tensor, Tensor]: Indices ``(R,)`` int64 in [0, V * h * w), rising, and weights
        ``(R,)`` float32: 1 divided by the number of masked patches of the view.
    """
    counts = masks.flatten(1).sum(1)
    positions = masks.flatten().nonzero().flatten()
    weights = (1 / counts).repeat_interleave(counts)
    return positions.to(device, non_blocking=True), weights.to(device, non_blocking=True)
