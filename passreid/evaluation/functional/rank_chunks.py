"""Evaluation of a stream of distances: the core of every evaluation."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from torch import Tensor

from passreid.clustering.nearest_items import nearest_items

from .camera_table import CameraScores
from .labels import RankingLabels
from .row_scores import RowScores, score_rows
from .scores import RankingResult, summarise
from .verification_curve import VerificationCurve


def rank_chunks(
    chunks: Iterable[Tensor],
    labels: RankingLabels,
    max_rank: int = 50,
    topk: int = 0,
    by_camera: bool = False,
    false_positive_rates: Sequence[float] = (),
    progress: Callable[[int, int], object] | None = None,
) -> RankingResult:
    """Rank the gallery for each query, a few queries at a time.

    Args:
        chunks (Iterable[Tensor]): Distances ``(R, G)`` of consecutive queries, which are
            overwritten.
        labels (RankingLabels): Of all queries and the gallery.
        max_rank (int): Length of the CMC.
        topk (int): How many of the nearest items are wanted for each query.
        by_camera (bool): Whether to score each pair of cameras, too.
        false_positive_rates (Sequence[float]): See :class:`VerificationCurve`.
        progress (Callable, optional): Called with the number of queries done and their total.

    Returns:
        RankingResult: Scores of all, of each query, and the nearest items.

    Raises:
        ValueError: If a distance is not finite, no query is valid or a parameter is out of range.
    """
    for name, value, least in (('max_rank', max_rank, 1), ('topk', topk, 0)):
        if value < least:
            raise ValueError(f'{name} is {value}, expected at least {least}')
    for rate in false_positive_rates:
        if not 0 <= rate <= 1:
            raise ValueError(f'a false positive rate is {rate}, expected between 0 and 1')
    total = len(labels.query_pids)
    cameras = CameraScores(labels) if by_camera else None
    curve = VerificationCurve() if len(false_positive_rates) else None
    scores, nearest = [], []
    done = 0
    for chunk in chunks:
        rows = slice(done, done + len(chunk))
        of_rows = labels.rows(rows)
        of_rows.remove_(chunk, done)
        scores.append(score_rows(chunk, of_rows))
        if topk:
            nearest.append(nearest_items(chunk, topk))
        if cameras:
            cameras.add(chunk, rows)
        if curve:
            curve.add(chunk, of_rows)
        done += len(chunk)
        if progress:
            progress(done, total)
    by_query = RowScores(*map(np.concatenate, zip(*scores, strict=True)))
    if topk:
        distances, indices = map(np.concatenate, zip(*nearest, strict=True))
    else:
        distances, indices = np.empty((total, 0), np.float32), np.empty((total, 0), np.int64)
    return RankingResult(
        *summarise(by_query, max_rank),
        *by_query,
        indices,
        distances,
        cameras.table() if cameras else None,
        curve.true_positive_rates(false_positive_rates) if curve else np.empty(0),
    )
