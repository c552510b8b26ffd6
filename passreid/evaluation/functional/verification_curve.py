"""Verification: is a pair of images of one person, by its distance alone?"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .labels import RankingLabels

SHIFT = 10
NUM_BINS = 2 ** (32 - SHIFT)
INFINITE = (0x7F800000 >> SHIFT) + NUM_BINS // 2


class VerificationCurve:
    """True positive rates of all pairs of a query and a gallery item that counts.

    Pairs below a threshold are accepted. Distances are counted in bins as wide as 2^-13 of
    their value (the leading bits of a float32), so memory does not grow with the number of pairs.
    A threshold lies between two bins: the rates are those of a real threshold, at most the
    matching pairs of one bin below the best one.
    """

    def __init__(self) -> None:
        self.matching = np.zeros(NUM_BINS, np.int64)
        self.all = np.zeros(NUM_BINS, np.int64)

    def add(self, distances: Tensor, labels: RankingLabels) -> None:
        """Count the pairs of the next queries.

        Args:
            distances (Tensor): ``(R, G)`` float32, infinite where an item does not count.
            labels (RankingLabels): Of these queries and the gallery.
        """
        rows, items = (
            torch.as_tensor(places, device=distances.device)
            for places in labels.same_identity.pairs()
        )
        self.all += _count(distances)
        self.matching += _count(distances[rows, items])

    def true_positive_rates(self, false_positive_rates: Sequence[float]) -> np.ndarray:
        """Highest share of matching pairs that is accepted at each rate of other pairs.

        Args:
            false_positive_rates (Sequence[float]): Highest shares of other pairs to accept, in
                [0, 1].

        Returns:
            np.ndarray: Float64, one for each; nan without matching or other pairs.
        """
        accepted, others = np.cumsum(self.matching), np.cumsum(self.all - self.matching)
        if not accepted[-1] or not others[-1]:
            return np.full(len(false_positive_rates), np.nan)
        allowed = np.floor(np.asarray(false_positive_rates) * others[-1])
        bins = np.searchsorted(others, allowed, 'right')
        return np.concatenate([[0], accepted])[bins] / accepted[-1]


def _count(distances: Tensor) -> np.ndarray:
    bits = (distances.flatten() + 0.0).view(torch.int32)
    # Of negative numbers all bits but the sign are turned: now they ascend as the numbers do.
    bits = bits.bitwise_xor_((bits >> 31).bitwise_and_(0x7FFFFFFF))
    bins = bits.bitwise_right_shift_(SHIFT).add_(NUM_BINS // 2)
    counts = torch.bincount(bins, minlength=NUM_BINS).cpu().numpy()
    counts[INFINITE:] = 0
    return counts
