"""Evaluation of a stream of distances: the core of every evaluation."""

from collections.abc import Callable, Iterable

import numpy as np
from torch import Tensor

from .labels import RankingLabels
from .row_scores import RowScores, nearest_items, score_rows
from .scores import RankingResult, summarise


def rank_chunks(
    chunks: Iterable[Tensor],
    labels: RankingLabels,
    max_rank: int = 50,
    topk: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> RankingResult:
    """Rank the gallery for each query, a few queries at a time.

    Args:
        chunks (Iterable[Tensor]): Distances ``(R, G)`` of consecutive queries, which are
            overwritten.
        labels (RankingLabels): Of all queries and the gallery.
        max_rank (int): Length of the CMC.
        topk (int): How many of the nearest items are wanted for each query.
        progress (Callable, optional): Called with the number of queries done and their total.

    Returns:
        RankingResult: Scores of all, of each query, and the nearest items.

    Raises:
        ValueError: If a distance is not finite or no query is valid.
    """
    for name, value, least in (('max_rank', max_rank, 1), ('topk', topk, 0)):
        if value < least:
            raise ValueError(f'{name} is {value}, expected at least {least}')
    total = len(labels.query_pids)
    scores, nearest = [], []
    done = 0
    for chunk in chunks:
        rows = labels.rows(slice(done, done + len(chunk)))
        rows.remove_(chunk, done)
        scores.append(score_rows(chunk, rows))
        if topk:
            nearest.append(nearest_items(chunk, topk))
        done += len(chunk)
        if progress:
            progress(done, total)
    by_query = RowScores(*map(np.concatenate, zip(*scores, strict=True)))
    if topk:
        indices, distances = map(np.concatenate, zip(*nearest, strict=True))
    else:
        indices, distances = np.empty((total, 0), np.int64), np.empty((total, 0), np.float32)
    return RankingResult(*summarise(by_query, max_rank), *by_query, indices, distances)
