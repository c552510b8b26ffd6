"""Refinement of pseudo labels by parts."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

from ..losses import agreement_loss, refined_targets
from .cluster_memory import ClusterMemory


@MODELS.register_module()
class PartRefinement(nn.Module):
    """Losses of global and part features with pseudo labels that each refines for the other.

    The target of the global feature mixes the cluster of the image with the predictions of its
    parts, see :func:`refined_targets`. The target of a part is the cluster: with label smoothing
    in the first epochs, then with the agreement of its neighbors with those of the global feature,
    see :func:`agreement_loss` and :func:`passreid.clustering.cross_agreement`.

    The authors train linear classifiers. Here the memories of cluster contrast are the
    classifiers: logits are cosines with the centers of the clusters by a temperature, those of the
    global feature from the memory of the model, those of each part from a :class:`ClusterMemory`
    of its own.

    Source: Cho et al., `Part-based Pseudo Label Refinement for Unsupervised Person
    Re-identification <https://arxiv.org/abs/2203.14675>`_, CVPR 2022.

    Args:
        in_channels (int): Width C of a token.
        num_parts (int): Number L of parts. Defaults to 3.
        temperature (float): Of the memories of the parts. Defaults to 0.05.
        momentum (float): Of the memories of the parts. Defaults to 0.2.
        use_hard (bool): Of the memories of the parts. Defaults to True.
        beta (float): Weight of the cluster in the target of the global feature. Defaults to 0.5.
        smoothing (float): Label smoothing of the parts before ``start_epoch``. Defaults to 0.1.
        start_epoch (int): Epoch, counted from 0, from which on the agreement weighs the losses of
            the parts. Defaults to 5.

    Raises:
        ValueError: When there are no parts.

    Examples:
        >>> import torch
        >>> from passreid.models import PartRefinement
        >>> refinement = PartRefinement(4, num_parts=2)
        >>> refinement.set_parts(torch.eye(4)[:, None].repeat(1, 2, 1), torch.rand(9, 2))
        >>> scores, parts = torch.rand(3, 4), torch.rand(3, 2, 4)
        >>> losses = refinement(scores, parts, torch.tensor([0, 3, -1]), torch.tensor([8, 2, 5]))
        >>> sorted(losses)
        ['loss_global', 'loss_parts']
    """

    agreement: Tensor
    memories: Any

    def __init__(
        self,
        in_channels: int,
        num_parts: int = 3,
        temperature: float = 0.05,
        momentum: float = 0.2,
        use_hard: bool = True,
        beta: float = 0.5,
        smoothing: float = 0.1,
        start_epoch: int = 5,
    ) -> None:
        super().__init__()
        if num_parts < 1:
            raise ValueError('PartRefinement needs [PART] tokens: set model.part_refinement=None')
        self.beta = beta
        self.smoothing = smoothing
        self.start_epoch = start_epoch
        self.epoch = 0
        # One for all is one for each channel of each part.
        self.norm = nn.BatchNorm1d(num_parts * in_channels)
        self.norm.bias.requires_grad_(False)
        self.memories = nn.ModuleList(
            ClusterMemory(temperature, momentum, use_hard) for _ in range(num_parts)
        )
        self.register_buffer('agreement', torch.empty(0, num_parts), persistent=False)

    def embed(self, tokens: Tensor) -> Tensor:
        """Normalise the [PART] tokens of ``tokens (B, 1 + L, C)`` over the batch: ``(B, L, C)``."""
        parts = tokens[:, 1:]
        return self.norm(parts.flatten(1)).view_as(parts)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, counted from 0; it is no part of :meth:`state`."""
        self.epoch = epoch

    def set_parts(self, centers: Tensor, agreement: Tensor) -> None:
        """Start from other clusters: centers ``(K, L, d)`` of any length but 0.

        ``agreement (N, L)`` is that of all training images, by ``sample_idx``.
        """
        for memory, of_part in zip(self.memories, centers.unbind(1), strict=True):
            memory.set_centers(of_part)
        self.agreement = agreement.to(self.agreement.device, torch.float32)

    def state(self) -> dict[str, Tensor]:
        """Centers ``(K, L, d)`` and agreement ``(N, L)``, float32, as they are."""
        centers = torch.stack([memory.centers for memory in self.memories], dim=1)
        return {'part_centers': centers, 'agreement': self.agreement}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on with memories and agreement, bit by bit, that :meth:`state` gave."""
        for memory, centers in zip(self.memories, state['part_centers'].unbind(1), strict=True):
            memory.centers = centers.to(memory.centers.device).contiguous()
        self.agreement = state['agreement'].to(self.agreement.device)

    def forward(
        self, scores: Tensor, parts: Tensor, labels: Tensor, sample_idx: Tensor
    ) -> dict[str, Tensor]:
        """Compute the losses and, in training, move the memories of the parts.

        Args:
            scores (Tensor): Logits ``(B, K)`` of the memory of the model, which does not move here.
            parts (Tensor): Part features ``(B, L, d)`` of any length, as many in every process.
            labels (Tensor): Clusters ``(B,)`` int64, -1 for images that do not count.
            sample_idx (Tensor): Places ``(B,)`` int64 of the images in the data set.

        Returns:
            dict[str, Tensor]: Means ``loss_global`` over the images that count and ``loss_parts``
            over their parts, float32 scalars; 0 without such images.
        """
        with torch.autocast(parts.device.type, enabled=False):
            units = F.normalize(parts.float(), dim=2).unbind(1)
            pairs = list(zip(self.memories, units, strict=True))
            part_logits = torch.stack([memory.scores(unit) for memory, unit in pairs], dim=1)
            agreement = self.agreement[sample_idx]
            number = (labels >= 0).sum().clamp_min(1)
            targets = refined_targets(part_logits, agreement, labels, self.beta)
            of_global = F.cross_entropy(scores.float(), targets, reduction='sum') / number
            if self.epoch < self.start_epoch:
                of_parts = F.cross_entropy(
                    part_logits.flatten(0, 1),
                    labels.repeat_interleave(len(pairs)),
                    ignore_index=-1,
                    reduction='sum',
                    label_smoothing=self.smoothing,
                ) / (number * len(pairs))
            else:
                of_parts = agreement_loss(part_logits, labels, agreement)
            if self.training:
                for memory, unit in pairs:
                    memory.follow(unit, labels)
        return {'loss_global': of_global, 'loss_parts': of_parts}

    def extra_repr(self) -> str:
        """Settings, for the printed model."""
        return f'beta={self.beta}, smoothing={self.smoothing}, start_epoch={self.start_epoch}'
