"""What a ranking is worth."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.kernels import over_rows

from .kernels import rank_rows
from .labels import RankingLabels


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
    hits = labels.same_identity(distances.device).gather(1, order) & values.isfinite()
    ranks = torch.arange(1, distances.shape[1] + 1, device=distances.device)
    found = hits.cumsum(1)
    number = found[:, -1].double()
    precisions = (found * hits).double().div_(ranks).sum(1)
    first = (hits.int().argmax(1) + 1) * (number > 0)
    last = (hits * ranks).amax(1)
    scores = (precisions / number, first, number / last)
    return RowScores(*(score.cpu().numpy() for score in scores))


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
