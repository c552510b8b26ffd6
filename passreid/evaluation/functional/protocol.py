"""The protocol of Market-1501: what counts for a query, and what its ranking is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from passreid.clustering.kernels import over_rows
from passreid.clustering.neighbors import check_features

UNKNOWN = -1


def check_pair(
    query_features: Any, gallery_features: Any, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Make float32 matrices ``(Q, D)`` and ``(G, D)`` on one device; see :func:`check_features`."""
    query = check_features('query_features', query_features, device)
    gallery = check_features('gallery_features', gallery_features, device or query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f'query_features have {query.shape[1]} dimensions, gallery_features {gallery.shape[1]}'
        )
    return query, gallery


@dataclass(frozen=True)
class RankingLabels:
    """Identities and cameras of Q queries and G gallery items, all int64."""

    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_cam_ids: np.ndarray  # -1 where unknown
    gallery_cam_ids: np.ndarray
    same_image: np.ndarray  # (Q,): item that is the same image as the query, -1 for none
    # Items by identity: those of the identity of query q are items[first[q]:last[q]], ascending.
    items: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def check(
        cls, q_pids: Any, g_pids: Any, q_camids: Any, g_camids: Any, same_image: Any = None
    ) -> 'RankingLabels':
        """Make labels of any sequences of integers that fit together."""
        query_pids, gallery_pids = _integers('q_pids', q_pids), _integers('g_pids', g_pids)
        if same_image is None:
            same_image = np.full(len(query_pids), UNKNOWN)
        query_cam_ids = _integers('q_camids', q_camids, len(query_pids))
        gallery_cam_ids = _integers('g_camids', g_camids, len(gallery_pids))
        same_image = _integers('same_image', same_image, len(query_pids))
        if same_image.min() < UNKNOWN or same_image.max() >= len(gallery_pids):
            raise ValueError(f'same_image holds neither -1 nor one of {len(gallery_pids)} items')
        items = np.argsort(gallery_pids, kind='stable')
        ends = (np.searchsorted(gallery_pids[items], query_pids, s) for s in ('left', 'right'))
        labels = query_pids, gallery_pids, query_cam_ids, gallery_cam_ids
        return cls(*labels, same_image, items, *ends)

    def rows(self, rows: slice) -> 'RankingLabels':
        """Labels of some of the queries."""
        names = 'query_pids', 'query_cam_ids', 'same_image', 'first', 'last'
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def of_items(self, items: np.ndarray) -> 'RankingLabels':
        """Labels with some items as the gallery; ``same_image`` is left out, as after removal."""
        cam_ids = self.query_cam_ids, self.gallery_cam_ids[items]
        return self.check(self.query_pids, self.gallery_pids[items], *cam_ids)

    def matches(self) -> tuple[np.ndarray, np.ndarray]:
        """Queries and items of all pairs of one identity."""
        counts = self.last - self.first
        rows = np.repeat(np.arange(len(counts)), counts)
        ends = np.cumsum(counts)
        places = np.arange(len(rows)) + np.repeat(self.last - ends, counts)
        return rows, self.items[places]

    def remove_(self, distances: Tensor, first_row: int) -> None:
        """Set distances ``(Q, G)`` of what does not count for a query to infinity, in place.

        This is the same identity under the same camera, where both cameras are known, and the
        image of the query itself. Messages count rows from ``first_row`` on.

        Raises:
            ValueError: If a distance is not finite.
        """
        finite = torch.stack([distances.amin(1), distances.amax(1)]).isfinite().all(0)
        if not finite.all():
            row = first_row + int(finite.int().argmin())
            raise ValueError(
                f'the distances of query {row} are not all finite: look for nan, inf or very '
                'large values in the features'
            )
        rows, items = self.matches()
        cameras = self.query_cam_ids[rows]
        out = (cameras != UNKNOWN) & (cameras == self.gallery_cam_ids[items])
        own = np.flatnonzero(self.same_image != UNKNOWN)
        for pair in ((rows[out], items[out]), (own, self.same_image[own])):
            distances[tuple(map(torch.from_numpy, pair))] = torch.inf


def _integers(name: str, values: Any, number: int | None = None) -> np.ndarray:
    array = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1 or not array.size or number not in (None, len(array)):
        expected = 'one for each image' if number is None else f'({number},)'
        raise ValueError(f'{name} has shape {array.shape}, expected {expected}')
    if array.dtype.kind not in 'iu':
        raise TypeError(f'{name} holds {array.dtype}, expected integers')
    return np.ascontiguousarray(array, dtype=np.int64)


class CameraTable(NamedTuple):
    """Scores in [0, 1] when the gallery holds the images of one camera; nan without valid query.

    Args:
        query_cam_ids (np.ndarray): ``(A,)`` int64, ascending.
        gallery_cam_ids (np.ndarray): ``(B,)`` int64, ascending.
        mAP (np.ndarray): ``(A, B)`` float64.
        rank1 (np.ndarray): ``(A, B)`` float64.
    """

    query_cam_ids: np.ndarray
    gallery_cam_ids: np.ndarray
    mAP: np.ndarray  # noqa: N815
    rank1: np.ndarray


class RankScores(NamedTuple):
    """Scores of a ranking, in [0, 1]. Fields can also be had by name: ``scores['mAP']``.

    Args:
        mAP (float): Mean over the valid queries of the average precision.
        cmc (np.ndarray): ``(max_rank,)`` float64: share of the valid queries with a match among
            the first k items, k from 1. Beyond the gallery it keeps its last value.
        mINP (float): Mean inverse negative penalty (https://arxiv.org/abs/2001.04193): number of
            matches by the rank of the last one.
        valid (np.ndarray): ``(Q,)`` bool: the query has a match that counts.
    """

    mAP: float  # noqa: N815
    cmc: np.ndarray
    mINP: float  # noqa: N815
    valid: np.ndarray

    def __getitem__(self, key: Any) -> Any:
        return self._asdict()[key] if isinstance(key, str) else tuple.__getitem__(self, key)


class RankingResult(NamedTuple):
    """The fields of :class:`RankScores`, the scores of each query, and what else was asked for.

    Args:
        mAP (float): See :class:`RankScores`, as for ``cmc``, ``mINP`` and ``valid``.
        cmc (np.ndarray): ``(max_rank,)`` float64.
        mINP (float): In [0, 1].
        valid (np.ndarray): ``(Q,)`` bool.
        average_precision (np.ndarray): ``(Q,)`` float64, nan where not valid.
        first_hit_rank (np.ndarray): ``(Q,)`` int64, from 1; 0 where not valid.
        inverse_negative_penalty (np.ndarray): ``(Q,)`` float64, nan where not valid.
        indices (np.ndarray): ``(Q, topk)`` int64: the nearest gallery items that count, nearest
            first; -1 where the gallery is exhausted.
        distances (np.ndarray): ``(Q, topk)``: their distances; infinite where exhausted.
        cameras (CameraTable | None): Scores for each pair of cameras.
        tpr (np.ndarray): Share of the matching pairs that are accepted at each false positive rate
            asked for.
    """

    mAP: float  # noqa: N815
    cmc: np.ndarray
    mINP: float  # noqa: N815
    valid: np.ndarray
    average_precision: np.ndarray
    first_hit_rank: np.ndarray
    inverse_negative_penalty: np.ndarray
    indices: np.ndarray
    distances: np.ndarray
    cameras: CameraTable | None
    tpr: np.ndarray

    def __getitem__(self, key: Any) -> Any:
        return self._asdict()[key] if isinstance(key, str) else tuple.__getitem__(self, key)


class RowScores(NamedTuple):
    """Scores of each query, ``(Q,)``: the fields of that name of :class:`RankingResult`."""

    average_precision: np.ndarray
    first_hit_rank: np.ndarray
    inverse_negative_penalty: np.ndarray


def score_rows(distances: Tensor, labels: RankingLabels) -> RowScores:
    """Score queries by distances ``(R, G)``, infinite where an item does not count.

    Of equal distances the item that comes first in the gallery is the nearer one.
    """
    if distances.device.type != 'cpu':
        return score_rows_on_device(distances, labels)
    number = len(distances)
    scores = RowScores(np.full(number, np.nan), np.zeros(number, np.int64), np.full(number, np.nan))
    pairs = labels.items, labels.first, labels.last
    over_rows(rank_rows, number, distances.numpy(), *pairs, *scores)
    return scores


def score_rows_on_device(distances: Tensor, labels: RankingLabels) -> RowScores:
    """Score queries where their distances are, by sorting them; see :func:`score_rows`."""
    # Adding zero makes -0.0 and 0.0 the same; a sort by bits would part them.
    values, order = (distances + 0.0).sort(dim=1, stable=True)
    query, gallery = (
        torch.as_tensor(pids, device=distances.device)
        for pids in (labels.query_pids, labels.gallery_pids)
    )
    hits = (gallery[order] == query[:, None]) & values.isfinite()
    ranks = torch.arange(1, distances.shape[1] + 1, device=distances.device)
    found = hits.cumsum(1)
    number = found[:, -1].double()
    precisions = (found * hits).double().div_(ranks).sum(1)
    first = (hits.int().argmax(1) + 1) * (number > 0)
    last = (hits * ranks).amax(1)
    scores = (precisions / number, first, number / last)
    return RowScores(*(score.cpu().numpy() for score in scores))


@njit(cache=True, nogil=True)
def rank_rows(
    start: int,
    stop: int,
    distances: np.ndarray,
    items: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    average_precision: np.ndarray,
    first_hit_rank: np.ndarray,
    inverse_negative_penalty: np.ndarray,
) -> None:
    """Score each row without sorting it: count the items that lie before each match."""
    longest = 0
    for row in range(start, stop):
        longest = max(longest, last[row] - first[row])
    unsorted_matches = np.empty(longest, np.int64)
    unsorted_distances = np.empty(longest, distances.dtype)
    before = np.empty(longest + 1, np.int64)
    for row in range(start, stop):
        line = distances[row]
        hits = 0
        for place in range(first[row], last[row]):
            if line[items[place]] < np.inf:
                unsorted_matches[hits] = items[place]
                unsorted_distances[hits] = line[items[place]]
                hits += 1
        if hits == 0:
            continue
        # A stable sort of ascending indices: equal distances stay in the order of the gallery.
        order = np.argsort(unsorted_distances[:hits], kind='mergesort')
        matches = unsorted_matches[:hits][order]
        matched = unsorted_distances[:hits][order]
        before[: hits + 1] = 0
        for item in range(len(line)):
            value = line[item]
            if value <= matched[hits - 1]:
                before[_first_not_before(matched, matches, value, item)] += 1
        # Each match was counted in its own place, so the sums are ranks that start at 1.
        rank = before[0]
        first_hit_rank[row] = rank
        precisions = 1 / rank
        for hit in range(1, hits):
            rank += before[hit]
            precisions += (hit + 1) / rank
        average_precision[row] = precisions / hits
        inverse_negative_penalty[row] = hits / rank


@njit(cache=True, nogil=True)
def _first_not_before(matched: np.ndarray, matches: np.ndarray, value: float, item: int) -> int:
    """Return the first of the sorted matches that does not come before an item."""
    place, size = 0, len(matched)
    while size > 1:
        half = size // 2
        place = place + half if matched[place + half - 1] < value else place
        size -= half
    place += matched[place] < value
    while place < len(matched) and matched[place] == value and matches[place] < item:
        place += 1
    return place


def summarize(rows: RowScores, max_rank: int) -> RankScores:
    """Average the scores of the valid queries."""
    valid = rows.first_hit_rank > 0
    if not valid.any():
        raise ValueError(
            f'none of the {len(valid)} queries has a match in the gallery that counts: an image '
            'of the same identity under another camera'
        )
    ranks = np.sort(rows.first_hit_rank[valid])
    return RankScores(
        mAP=float(rows.average_precision[valid].mean()),
        cmc=np.searchsorted(ranks, np.arange(1, max_rank + 1), 'right') / len(ranks),
        mINP=float(rows.inverse_negative_penalty[valid].mean()),
        valid=valid,
    )


def tabulate(
    labels: RankingLabels, cameras: np.ndarray, scores: Sequence[RowScores]
) -> CameraTable:
    """Average the scores against each camera of the gallery over the queries of each camera."""
    query_cam_ids, camera = np.unique(labels.query_cam_ids, return_inverse=True)
    of_camera = np.eye(len(query_cam_ids))[:, camera]
    precision = np.stack([score.average_precision for score in scores], 1)
    found_first = np.stack([score.first_hit_rank == 1 for score in scores], 1)
    valid = ~np.isnan(precision)
    number = of_camera @ valid
    number[number == 0] = np.nan
    mean_precision = of_camera @ np.where(valid, precision, 0) / number
    return CameraTable(query_cam_ids, cameras, mean_precision, of_camera @ found_first / number)
