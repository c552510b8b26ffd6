"""From which similarity on two images are taken to show one person."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from passreid.clustering.distances import distance_chunks
from passreid.clustering.features import check_pair

from .labels import RankingLabels
from .verification_curve import NUM_BINS, SHIFT, VerificationCurve

# Fewer false matches than this leave the rate uncertain by more than 30 % (with 90 % confidence):
# Doddington et al., "The NIST speaker recognition evaluation", Speech Communication 31, 2000.
RULE_OF_30 = 30


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
        """Find the lowest threshold with at most so many false matches.

        The rates are exactly those of the threshold that is returned. The next lower one differs by
        the width of a bin, 2^-13 of ``1 - similarity``.

        Args:
            false_match_rate (float): Largest share of the pairs of two people to accept, in [0, 1].

        Raises:
            ValueError: When the rate is out of range.
        """
        if not 0 <= false_match_rate <= 1:
            raise ValueError(f'a false match rate is {false_match_rate}, expected is 0 to 1')
        wrong, right = (np.concatenate([[0], np.cumsum(n)]) for n in (self.others, self.matching))
        # The share is computed as it is reported: 1e-3 of 1000 pairs is one pair.
        end = int(np.searchsorted(wrong / wrong[-1], false_match_rate, 'right')) - 1
        return SimilarityThreshold(
            false_match_rate,
            float(self.edges[end]),
            int(wrong[end]),
            float(wrong[end] / wrong[-1]),
            float(right[end] / right[-1]),
        )


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
    for the same picture says little. Memory does not grow with the number of pairs.

    Args:
        query_features (np.ndarray | Tensor): ``(Q, D)``, of any length.
        gallery_features (np.ndarray | Tensor): ``(G, D)``.
        q_pids (Sequence[int]): ``(Q,)`` identities of the queries.
        g_pids (Sequence[int]): ``(G,)`` identities of the gallery.
        q_camids (Sequence[int]): ``(Q,)`` cameras, -1 where unknown.
        g_camids (Sequence[int]): ``(G,)`` cameras, -1 where unknown.
        same_image (Sequence[int], optional): ``(Q,)`` gallery item that is the very image of the
            query, -1 for none.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.
        device (torch.device | str, optional): Where to compute; by default where the queries are.
        progress (Callable, optional): Called with the number of queries done and their total.

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
    edges = np.append(_lower_edge(held), _lower_edge(held[-1:] + 1))
    return SimilarityCurve(1 - edges, curve.matching[held], others[held])


def _lower_edge(bins: np.ndarray) -> np.ndarray:
    """Smallest distance of a bin of :class:`VerificationCurve`, float64."""
    bits = (bins - NUM_BINS // 2).astype(np.int32) << SHIFT
    return (
        np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int32).view(np.float32).astype(float)
    )
