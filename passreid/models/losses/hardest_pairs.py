"""Batch-hard mining."""

from typing import NamedTuple

import torch
from torch import Tensor

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
    """Find the hardest positive and negative of each image in a batch.

    Which pairs are the hardest is decided without gradient; the distances of
    those are then computed from differences, so that they are exact however
    small.

    Source: `In Defense of the Triplet Loss for Person Re-Identification
    <https://arxiv.org/abs/1703.07737>`_, section 2.

    Args:
        features (Tensor): ``(B, D)``, float32 or float64.
        labels (Tensor): Identities ``(B,)``, any numbers of images of each.

    Returns:
        HardestPairs: The distances, differentiable; the gradient of two equal
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
