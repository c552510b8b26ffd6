"""k-reciprocal re-ranking and average query expansion: better rankings without any label."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from passreid.clustering.kernels import over_rows, subtract_overlaps
from passreid.clustering.neighbors import (
    distance_chunks,
    mutual_neighbors,
    nearest_neighbors,
    prepare_metric,
    row_chunks,
    squared_lengths,
)
from passreid.clustering.reciprocal import reciprocal_rows

from .protocol import check_pair


def re_ranking(
    query_features: Any,
    gallery_features: Any,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    device: torch.device | str | None = None,
) -> np.ndarray:
    """Re-rank the gallery for all queries at once (https://arxiv.org/abs/1701.08398).

    See :func:`re_ranking_chunks`.

    Args:
        query_features (np.ndarray | Tensor): ``(Q, D)``.
        gallery_features (np.ndarray | Tensor): ``(G, D)``.
        k1 (int): Size of the neighborhood, an item itself not counted.
        k2 (int): Neighbors to average over, an item itself counted; 1 for none.
        lambda_value (float): Weight of the original distance, in [0, 1].
        device (torch.device | str, optional): Where to compute; by default where the queries are.

    Returns:
        np.ndarray: Distances ``(Q, G)`` float32.

    Raises:
        ValueError: If shapes do not fit, a feature is not finite or a parameter is out of range.
    """
    chunks = re_ranking_chunks(query_features, gallery_features, k1, k2, lambda_value, None, device)
    distances = np.empty((len(query_features), len(gallery_features)), np.float32)
    start = 0
    for chunk in chunks:
        distances[start : start + len(chunk)] = chunk.numpy()
        start += len(chunk)
    return distances


def re_ranking_chunks(
    query_features: Any,
    gallery_features: Any,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    chunk_size: int | None = None,
    device: torch.device | str | None = None,
) -> Iterator[Tensor]:
    """Re-rank the gallery for a few queries at a time.

    The distance is ``lambda_value`` times the original one plus ``1 - lambda_value`` times the
    Jaccard distance of the sets of ``k1``-reciprocal neighbors. The original one is the squared
    Euclidean distance, by the largest one that the query has to any image of both sides. Memory
    grows with (Q + G) x k1. Arguments are those of :func:`re_ranking`; ``chunk_size`` is the number
    of queries, by default as many as take 32 MiB.

    Yields:
        Tensor: Distances ``(R, G)`` float32 of the next queries on the CPU; each overwrites the
        one before.
    """
    for name, value in (('k1', k1), ('k2', k2)):
        if value < 1:
            raise ValueError(f'{name} is {value}, expected at least 1')
    if not 0 <= lambda_value <= 1:
        raise ValueError(f'lambda_value is {lambda_value}, expected between 0 and 1')
    query, gallery = check_pair(query_features, gallery_features, device)
    num_queries = len(query)
    features = torch.cat([query, gallery])
    query, gallery = features[:num_queries], features[num_queries:]
    indices, farthest = mutual_neighbors(features, max(k1 + 1, k2))
    scales = 1 / np.where(farthest > 0, farthest, 1)
    on_cpu = features.cpu()
    squares = squared_lengths(on_cpu).numpy()
    rows = reciprocal_rows(on_cpu.numpy(), indices, k1, k2, k1 + 1, squares, scales)
    inverted = rows[num_queries:].T.tocsr()
    rows = rows[:num_queries]
    del indices, on_cpu

    scale = torch.as_tensor(lambda_value * scales[:num_queries], device=features.device)[:, None]
    weight = np.float32(1 - lambda_value)
    cuts = row_chunks(num_queries, len(gallery), chunk_size)
    chunks = distance_chunks(query, gallery, chunk_size=chunk_size)
    for cut, chunk in zip(cuts, chunks, strict=True):
        distances = chunk.mul_(scale[cut]).add_(1 - lambda_value).cpu()
        near = distances.numpy(), rows[cut], inverted, weight
        over_rows(subtract_overlaps, len(distances), *near)
        yield distances


def average_query_expansion(
    query_features: Any,
    gallery_features: Any,
    k: int = 5,
    alpha: float = 0.0,
    chunk_size: int | None = None,
    device: torch.device | str | None = None,
) -> np.ndarray:
    """Replace each query by the mean of itself and its nearest gallery features (ICCV 2007).

    All are L2-normalized first, and nearest is by the cosine, whatever their identity or camera.

    Args:
        query_features (np.ndarray | Tensor): ``(Q, D)``.
        gallery_features (np.ndarray | Tensor): ``(G, D)``.
        k (int): How many gallery features to add; at most all are.
        alpha (float): A gallery feature has the weight ``cos ** alpha``, 0 if the cosine is
            negative (https://arxiv.org/abs/1711.02512); 0 for the plain mean.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.
        device (torch.device | str, optional): Where to compute; by default where the queries are.

    Returns:
        np.ndarray: ``(Q, D)`` float32, L2-normalized.

    Raises:
        ValueError: If shapes do not fit, a feature is not finite or a parameter is out of range.
    """
    for name, value, least in (('k', k, 1), ('alpha', alpha, 0)):
        if value < least:
            raise ValueError(f'{name} is {value}, expected at least {least}')
    query, gallery = prepare_metric('cosine', *check_pair(query_features, gallery_features, device))
    distances, indices = (
        torch.as_tensor(found, device=query.device)
        for found in nearest_neighbors(query, gallery, k, 'cosine', chunk_size)
    )
    weights = (1 - distances).clamp_(min=0).pow_(alpha) if alpha else torch.ones_like(distances)
    expanded = query.clone()
    for neighbor, weight in zip(indices.T, weights.T, strict=True):
        expanded.addcmul_(gallery[neighbor], weight[:, None])
    return F.normalize(expanded, dim=1).cpu().numpy()
