"""What a ranking is worth."""

from typing import Any, NamedTuple

import numpy as np

from .camera_table import CameraTable
from .row_scores import RowScores


def _field_or_item(scores: Any, key: Any) -> Any:
    if isinstance(key, str):
        if key not in scores._fields:
            raise KeyError(key)
        return getattr(scores, key)
    return tuple.__getitem__(scores, key)


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
        return _field_or_item(self, key)


class RankingResult(NamedTuple):
    """The fields of :class:`RankScores`, the scores of each query, and what else was asked for.

    Args:
        mAP (float): See :class:`RankScores`.
        cmc (np.ndarray): ``(max_rank,)`` float64.
        mINP (float): See :class:`RankScores`.
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
        return _field_or_item(self, key)


def summarise(rows: RowScores, max_rank: int) -> RankScores:
    """Average the scores of all queries.

    Args:
        rows (RowScores): Of the Q queries.
        max_rank (int): Length of the CMC.

    Returns:
        RankScores: Of the valid queries.

    Raises:
        ValueError: If no query is valid.
    """
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
