"""Verification: do two images show one person, by their distance alone?"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.neighbors import distance_chunks

from .protocol import RankingLabels, check_pair

SHIFT = 10
NUM_BINS = 2 ** (32 - SHIFT)
INFINITE = (0x7F800000 >> SHIFT) + NUM_BINS // 2
# Fewer false matches than this leave the rate uncertain by more than 30 % (with 90 % confidence):
# Doddington et al., "The NIST speaker recognition evaluation", Speech Communication 31, 2000.
RULE_OF_30 = 30


class VerificationCurve:
    """Counts of all pairs of a query and a gallery item by their distance.

    Pairs below a threshold are accepted. Distances are counted in bins as wide as 2^-13 of
    their value (the leading bits of a float32), so memory does not grow with the number of pairs.
    A threshold lies between two bins: the rates are those of a real threshold, at most the
    matching pairs of one bin below the best one.
    """

    def __init__(self) -> None:
        self.matching = np.zeros(NUM_BINS, np.int64)
        self.all = np.zeros(NUM_BINS, np.int64)

    def add(self, distances: Tensor, labels: RankingLabels) -> None:
        """Count pairs by their distances ``(R, G)``, infinite where they do not count."""
        self.all += _count(distances)
        rows, items = map(torch.from_numpy, labels.matches())
        self.matching += _count(distances[rows, items])

    def true_positive_rates(self, false_positive_rates: Sequence[float]) -> np.ndarray:
        """Highest shares of matching pairs accepted at these highest shares of others, in [0, 1].

        They are nan without matching or other pairs.
        """
        accepted, others = np.cumsum(self.matching), np.cumsum(self.all - self.matching)
        if not accepted[-1] or not others[-1]:
            return np.full(len(false_positive_rates), np.nan)
        allowed = np.floor(np.asarray(false_positive_rates) * others[-1])
        bins = np.searchsorted(others, allowed, 'right')
        return np.append(0, accepted)[bins] / accepted[-1]


class SimilarityThreshold(NamedTuple):
    """A threshold and what it does: pairs that are more similar are accepted.

    Args:
        wanted (float): False match rate that was asked for, in [0, 1].
        similarity (float): The threshold, a cosine.
        false_matches (int): Pairs of two people that it accepts.
        false_match_rate (float): Their share in all pairs of two people; at most ``wanted``.
        true_match_rate (float): Share of the pairs of one person that it accepts.
    """

    wanted: float
    similarity: float
    false_matches: int
    false_match_rate: float
    true_match_rate: float

    @property
    def is_supported(self) -> bool:
        """Whether enough false matches were seen to trust the rate (rule of 30)."""
        return self.false_matches >= RULE_OF_30


class SimilarityCurve(NamedTuple):
    """How similar pairs of images are, counted in bins.

    Args:
        edges (np.ndarray): ``(B + 1,)`` float64 bounds of the bins, falling cosines.
        matching (np.ndarray): ``(B,)`` int64 pairs of one person.
        others (np.ndarray): ``(B,)`` int64 pairs of two people.
    """

    edges: np.ndarray
    matching: np.ndarray
    others: np.ndarray

    def threshold(self, false_match_rate: float) -> SimilarityThreshold:
        """Find the lowest threshold that accepts at most this share, in [0, 1], of other pairs.

        The rates are exactly those of the threshold that is returned. The next lower one differs by
        the width of a bin, 2^-13 of ``1 - similarity``.
        """
        if not 0 <= false_match_rate <= 1:
            raise ValueError(f'a false match rate is {false_match_rate}, expected is 0 to 1')
        wrong, right = (np.append(0, np.cumsum(n)) for n in (self.others, self.matching))
        # The share is computed as it is reported: 1e-3 of 1000 pairs is one pair.
        end = int(np.searchsorted(wrong / wrong[-1], false_match_rate, 'right')) - 1
        shares = float(wrong[end] / wrong[-1]), float(right[end] / right[-1])
        similarity, false_matches = float(self.edges[end]), int(wrong[end])
        return SimilarityThreshold(false_match_rate, similarity, false_matches, *shares)


def similarity_curve(
    query_features: Any,
    gallery_features: Any,
    q_pids: Any,
    g_pids: Any,
    q_camids: Any,
    g_camids: Any,
    *,
    same_image: Any = None,
    chunk_size: int | None = None,
    device: torch.device | str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> SimilarityCurve:
    """Count how similar all pairs of a query and a gallery image are.

    Pairs of one person under one camera and of one image do not count, as in a ranking: a search
    for the same picture says little. Memory does not grow with the number of pairs. The arguments
    are those of :func:`rank_features`.

    Returns:
        SimilarityCurve: Of the bins that hold a pair.

    Raises:
        ValueError: When there are no pairs of one person, or none of two, and when shapes do not
            fit.
    """
    labels = RankingLabels.check(q_pids, g_pids, q_camids, g_camids, same_image)
    query, gallery = check_pair(query_features, gallery_features, device)
    curve = VerificationCurve()
    done = 0
    for chunk in distance_chunks(query, gallery, 'cosine', chunk_size):
        of_rows = labels.rows(slice(done, done + len(chunk)))
        of_rows.remove_(chunk, done)
        curve.add(chunk, of_rows)
        done += len(chunk)
        if progress:
            progress(done, len(query))
    others = curve.all - curve.matching
    for name, counts in (('one person', curve.matching), ('two people', others)):
        if not counts.any():
            raise ValueError(f'there are no pairs of {name} that count')
    held = np.flatnonzero(curve.all)
    # The smallest distance of each bin, and of the one behind the last.
    bits = (np.append(held, held[-1] + 1) - NUM_BINS // 2).astype(np.int32) << SHIFT
    edges = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int32).view(np.float32)
    return SimilarityCurve(1 - edges.astype(float), curve.matching[held], others[held])


def _count(distances: Tensor) -> np.ndarray:
    bits = (distances.flatten() + 0.0).view(torch.int32)
    # Of negative numbers all bits but the sign are turned: now they ascend as the numbers do.
    bits = bits.bitwise_xor_((bits >> 31).bitwise_and_(0x7FFFFFFF))
    bins = bits.bitwise_right_shift_(SHIFT).add_(NUM_BINS // 2)
    counts = torch.bincount(bins, minlength=NUM_BINS).cpu().numpy()
    counts[INFINITE:] = 0
    return counts
