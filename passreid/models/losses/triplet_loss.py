"""Batch-hard triplet loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

from .hardest_pairs import hardest_pairs


@MODELS.register_module()
class TripletLoss(nn.Module):
    """Pull the farthest image of an identity closer than the nearest other one.

    Identities may have any numbers of images in the batch. Images without a
    negative do not count; a batch of one identity has the loss 0. Everything is
    computed in float32, under autocast too.

    Source: `In Defense of the Triplet Loss for Person Re-Identification
    <https://arxiv.org/abs/1703.07737>`_, section 2.

    Args:
        margin (float, optional): ``max(0, d_ap - d_an + margin)``; None is the
            soft margin ``log(1 + exp(d_ap - d_an))``. Defaults to None.
        normalize (bool): Whether to bring features to unit length first.
            Defaults to False.
        loss_weight (float): Factor of the loss. Defaults to 1.0.

    Examples:
        >>> import torch
        >>> from passreid.models import TripletLoss
        >>> features = torch.tensor([[0.0], [1.0], [5.0], [5.0]])
        >>> TripletLoss(margin=0.5)(features, torch.tensor([0, 0, 1, 1]))
        tensor(0.)
    """

    def __init__(
        self, margin: float | None = None, normalize: bool = False, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.margin = margin
        self.normalize = normalize
        self.loss_weight = loss_weight

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean over the batch.

        Args:
            features (Tensor): ``(B, D)``.
            labels (Tensor): Identities ``(B,)``.

        Returns:
            Tensor: The loss, a scalar.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            if self.normalize:
                features = F.normalize(features, dim=1)
            pairs = hardest_pairs(features, labels)
            gap = pairs.positive - pairs.negative
            terms = F.softplus(gap) if self.margin is None else F.relu(gap + self.margin)
            return self.loss_weight * pairs.mean(terms)
