"""Batch-hard triplet loss."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

# Keeps the square root differentiable; as in the published recipe.
_MIN_SQUARED_DISTANCE = 1e-12


class HardestPairs(NamedTuple):
    """Euclidean distances of each image of a batch, all ``(B,)``.

    Attributes:
        positive (Tensor): To the farthest image of the same identity; the image
            itself, at distance 1e-6, when there is no other.
        negative (Tensor): To the nearest image of another identity.
        valid (Tensor): Whether there is another identity, bool; ``negative`` is
            meaningless where not.
    """

    positive: Tensor
    negative: Tensor
    valid: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """Mean of values ``(B,)`` over the images with a negative, 0 when there is none."""
        # An absent negative stands for infinitely far; to ask for it would wait for the device.
        total = values.where(self.valid, torch.zeros_like(values)).sum()
        return total / self.valid.sum().clamp_min(1)


def hardest_pairs(features: Tensor, labels: Tensor) -> HardestPairs:
    """Find the hardest positive and negative of each image, features ``(B, D)``, labels ``(B,)``.

    Which pairs are the hardest is decided without gradient; the distances of those are then
    computed from differences, so that they are exact however small, and the gradient of equal
    features is 0.
    """
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    with torch.no_grad():
        distances = torch.cdist(features, features, compute_mode='donot_use_mm_for_euclid_dist')
        positives = distances.masked_fill(~same, -1).argmax(1)
        negatives = distances.masked_fill(same, torch.inf).argmin(1)
    return HardestPairs(
        positive=_distance(features, features[positives]),
        negative=_distance(features, features[negatives]),
        valid=~same.all(1),
    )


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Distances ``(B,)`` of the rows of two tensors."""
    return (one - other).square().sum(1).clamp_min(_MIN_SQUARED_DISTANCE).sqrt()


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
        """Compute the mean over the batch of features ``(B, D)`` with labels ``(B,)``."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(torch.promote_types(features.dtype, torch.float32))
            if self.normalize:
                features = F.normalize(features, dim=1)
            pairs = hardest_pairs(features, labels)
            gap = pairs.positive - pairs.negative
            terms = F.softplus(gap) if self.margin is None else F.relu(gap + self.margin)
            return self.loss_weight * pairs.mean(terms)
