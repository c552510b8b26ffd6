"""Ranking of a gallery by the protocol of Market-1501."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.neighbors import (
    distance_chunks,
    nearest_items,
    prepare_metric,
    row_chunks,
    to_tensor,
)

from .protocol import (
    RankingLabels,
    RankingResult,
    RankScores,
    RowScores,
    check_pair,
    score_rows,
    summarize,
    tabulate,
)
from .re_ranking import re_ranking_chunks
from .verification import VerificationCurve


def evaluate_rank(
    dist: Any, q_pids: Any, g_pids: Any, q_camids: Any, g_camids: Any, max_rank: int = 50
) -> RankScores:
    """Evaluate a matrix of distances by the protocol of Market-1501.

    For each query the gallery items of the same identity under the same camera are removed; with
    an unknown camera (-1) none is. Queries without a match are skipped. Of equal distances the
    item that comes first in the gallery is the nearer one.
    See https://openaccess.thecvf.com/content_iccv_2015/html/Zheng_Scalable_Person_Re-Identification_ICCV_2015_paper.html

    Args:
        dist (np.ndarray | Tensor): ``(Q, G)`` distances, ranked in their own precision.
        q_pids (Sequence[int]): ``(Q,)`` identities of the queries.
        g_pids (Sequence[int]): ``(G,)`` identities of the gallery; none is special.
        q_camids (Sequence[int]): ``(Q,)`` cameras, -1 where unknown.
        g_camids (Sequence[int]): ``(G,)`` cameras, -1 where unknown.
        max_rank (int): Length of the CMC.

    Returns:
        RankScores: ``mAP``, ``cmc``, ``mINP`` in [0, 1] and the ``valid`` queries.

    Raises:
        ValueError: If shapes do not fit, a distance is not finite or no query is valid.

    Examples:
        >>> scores = evaluate_rank([[0.2, 0.1]], [7], [7, 8], [0], [1, 1])
        >>> scores.mAP, scores.cmc[:2].tolist()
        (0.5, [0.0, 1.0])
    """
    labels = RankingLabels.check(q_pids, g_pids, q_camids, g_camids)
    distances = to_tensor(dist)
    expected = (len(labels.query_pids), len(labels.gallery_pids))
    if distances.shape != expected:
        raise ValueError(
            f'dist has shape {tuple(distances.shape)}, expected {expected} from q_pids and g_pids'
        )
    # Halves are exact in float32, integers in float64.
    narrow = distances.is_floating_point() and distances.dtype != torch.float64
    dtype = torch.float32 if narrow else torch.float64
    copies = (
        distances[rows].to(dtype, copy=True, memory_format=torch.contiguous_format)
        for rows in row_chunks(*distances.shape)
    )
    result = _rank(copies, labels, max_rank)
    return RankScores(result.mAP, result.cmc, result.mINP, result.valid)


def rank_features(
    query_features: Any,
    gallery_features: Any,
    q_pids: Any,
    g_pids: Any,
    q_camids: Any,
    g_camids: Any,
    *,
    max_rank: int = 50,
    metric: str = 'euclidean',
    topk: int = 0,
    same_image: Any = None,
    rerank: Mapping[str, Any] | None = None,
    by_camera: bool = False,
    false_positive_rates: Sequence[float] = (),
    chunk_size: int | None = None,
    device: torch.device | str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> RankingResult:
    """Rank the gallery for each query, by the rules of :func:`evaluate_rank`.

    Distances are computed for a few queries at a time, so memory does not grow with Q x G.

    Args:
        query_features (np.ndarray | Tensor): ``(Q, D)``.
        gallery_features (np.ndarray | Tensor): ``(G, D)``.
        q_pids (Sequence[int]): ``(Q,)`` identities of the queries.
        g_pids (Sequence[int]): ``(G,)`` identities of the gallery.
        q_camids (Sequence[int]): ``(Q,)`` cameras, -1 where unknown.
        g_camids (Sequence[int]): ``(G,)`` cameras, -1 where unknown.
        max_rank (int): Length of the CMC.
        metric (str): ``'euclidean'`` (squared, as published evaluations use it) or ``'cosine'``
            (1 - cos).
        topk (int): How many of the nearest items to return for each query.
        same_image (Sequence[int], optional): ``(Q,)`` gallery item that is the very image of the
            query and never counts, -1 for none.
        rerank (Mapping, optional): Rank by the distances of :func:`re_ranking` with these of its
            parameters ``k1``, ``k2`` and ``lambda_value``; an empty mapping for its defaults.
        by_camera (bool): Whether to score each pair of cameras, too.
        false_positive_rates (Sequence[float]): Rates at which to give the share of matching pairs
            that are accepted; see :class:`VerificationCurve`.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.
        device (torch.device | str, optional): Where to compute; by default where the queries are.
        progress (Callable, optional): Called with the number of queries done and their total.

    Returns:
        RankingResult: Scores of all, of each query, and the nearest items.

    Raises:
        ValueError: If shapes do not fit, a feature is not finite or no query is valid.
    """
    query, gallery = check_pair(query_features, gallery_features, device)
    labels = RankingLabels.check(q_pids, g_pids, q_camids, g_camids, same_image)
    for name, features, pids in (
        ('query', query, labels.query_pids),
        ('gallery', gallery, labels.gallery_pids),
    ):
        if len(features) != len(pids):
            raise ValueError(
                f'{name}_features has {len(features)} rows, {name[0]}_pids {len(pids)} values'
            )
    if rerank is None:
        chunks = distance_chunks(query, gallery, metric, chunk_size)
    else:
        query, gallery = prepare_metric(metric, query, gallery)
        chunks = re_ranking_chunks(query, gallery, **rerank, chunk_size=chunk_size)
    result = _rank(chunks, labels, max_rank, topk, by_camera, false_positive_rates, progress)
    # Rounding can bring squares of very small distances below zero.
    return result._replace(distances=result.distances.clip(min=0))


def _rank(
    chunks: Iterable[Tensor],
    labels: RankingLabels,
    max_rank: int,
    topk: int = 0,
    by_camera: bool = False,
    false_positive_rates: Sequence[float] = (),
    progress: Callable[[int, int], object] | None = None,
) -> RankingResult:
    """Rank the gallery for a few queries at a time, whose distances are overwritten."""
    for name, value, least in (('max_rank', max_rank, 1), ('topk', topk, 0)):
        if value < least:
            raise ValueError(f'{name} is {value}, expected at least {least}')
    if any(not 0 <= rate <= 1 for rate in false_positive_rates):
        raise ValueError(f'false positive rates are {false_positive_rates}, expected in [0, 1]')
    cameras = np.unique(labels.gallery_cam_ids) if by_camera else np.empty(0, np.int64)
    items = [np.flatnonzero(labels.gallery_cam_ids == camera) for camera in cameras]
    galleries = [labels.of_items(chosen) for chosen in items]
    # Of the whole gallery, then of that of each camera.
    scores: list[list[RowScores]] = [[] for _ in (labels, *galleries)]
    curve = VerificationCurve() if len(false_positive_rates) else None
    nearest = []
    done = 0
    for chunk in chunks:
        rows = slice(done, done + len(chunk))
        labels.rows(rows).remove_(chunk, done)
        scores[0].append(score_rows(chunk, labels.rows(rows)))
        for chosen, gallery, found in zip(items, galleries, scores[1:], strict=True):
            part = chunk.index_select(1, torch.as_tensor(chosen, device=chunk.device))
            found.append(score_rows(part, gallery.rows(rows)))
        nearest.append(nearest_items(chunk, topk))
        if curve:
            curve.add(chunk, labels.rows(rows))
        done += len(chunk)
        if progress:
            progress(done, len(labels.query_pids))
    whole, *of_cameras = [RowScores(*map(np.concatenate, zip(*s, strict=True))) for s in scores]
    distances, indices = map(np.concatenate, zip(*nearest, strict=True))
    return RankingResult(
        *summarize(whole, max_rank),
        *whole,
        indices,
        distances,
        tabulate(labels, cameras, of_cameras) if by_camera else None,
        curve.true_positive_rates(false_positive_rates) if curve else np.empty(0),
    )
