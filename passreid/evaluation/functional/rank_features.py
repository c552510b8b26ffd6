"""Evaluation of features without a matrix of all distances."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from passreid.clustering.distances import distance_chunks
from passreid.clustering.features import check_pair, prepare_metric

from .labels import RankingLabels
from .rank_chunks import rank_chunks
from .re_ranking import re_ranking_chunks
from .scores import RankingResult


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
    labels = RankingLabels.check(q_pids, g_pids, q_camids, g_camids, same_image)
    query, gallery = check_pair(query_features, gallery_features, device)
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
    result = rank_chunks(chunks, labels, max_rank, topk, by_camera, false_positive_rates, progress)
    # Rounding can bring squares of very small distances below zero.
    return result._replace(distances=result.distances.clip(min=0))
