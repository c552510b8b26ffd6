"""Evaluation, re-ranking and clustering, composed plainly on dense matrices, to compare with."""

from collections.abc import Callable

import numpy as np
from numpy import ndarray
from torch import Tensor, cat, from_numpy

CHUNK = 1024


def squared_distances(rows: Tensor, items: Tensor) -> ndarray:
    """Squared Euclidean distances ``(R, G)``."""
    distances = (rows @ items.T).mul_(-2)
    distances += rows.square().sum(1)[:, None]
    distances += items.square().sum(1)
    return distances.numpy()


def evaluate(
    distances: ndarray,
    query_pids: ndarray,
    gallery_pids: ndarray,
    query_cam_ids: ndarray,
    gallery_cam_ids: ndarray,
    max_rank: int = 50,
) -> dict[str, ndarray]:
    """Sort the whole matrix and score all queries: ``mAP``, ``cmc (max_rank,)`` and ``mINP``."""
    order = np.argsort(distances, axis=1)
    same = gallery_pids[order] == query_pids[:, None]
    removed = same & (gallery_cam_ids[order] == query_cam_ids[:, None])
    ranks = np.cumsum(~removed, axis=1, dtype=np.int32)
    rows, places = np.nonzero(same & ~removed)
    numbers = np.bincount(rows, minlength=len(distances))
    ends = np.cumsum(numbers)
    rank_of_hit = ranks[rows, places]
    hit_of_query = np.arange(len(rows)) - (ends - numbers)[rows] + 1
    precisions = np.bincount(rows, hit_of_query / rank_of_hit, len(distances))
    valid = numbers > 0
    first, last = rank_of_hit[(ends - numbers)[valid]], rank_of_hit[ends[valid] - 1]
    return {
        'mAP': (precisions[valid] / numbers[valid]).mean(),
        'cmc': (first[:, None] <= np.arange(1, max_rank + 1)).mean(0),
        'mINP': (numbers[valid] / last).mean(),
    }


def re_rank(
    query: Tensor, gallery: Tensor, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> ndarray:
    """Re-rank with matrices of all pairs (https://arxiv.org/abs/1701.08398, section 3)."""
    features, num_queries = cat([query, gallery]), len(query)
    distances = squared_distances(features, features)
    distances /= distances.max(1, keepdims=True)
    order = np.argsort(distances, axis=1)
    weights = weigh(order, lambda item, chosen: -distances[item, chosen], k1, k2)
    original = distances[:num_queries, num_queries:].copy()
    jaccard = jaccard_distances(weights[:num_queries], weights[num_queries:])
    return (1 - lambda_value) * jaccard + lambda_value * original


def nearest(features: Tensor, k: int = 30) -> ndarray:
    """Search the nearest ``k`` of each image, itself included; indices ``(N, k)``."""
    pieces = []
    for rows in features.split(CHUNK):
        distances = from_numpy(squared_distances(rows, features))
        pieces.append(distances.topk(k, largest=False).indices.numpy())
    return np.concatenate(pieces)


def jaccard(features: Tensor, order: ndarray, k1: int = 30, k2: int = 6) -> ndarray:
    """Compute all distances ``(N, N)`` to cluster by (same source, section 3)."""
    values = features.numpy()
    likeness = lambda item, chosen: 2 * values[chosen] @ values[item] - 2  # noqa: E731
    weights = weigh(order, likeness, k1, k2, itself=0)
    return jaccard_distances(weights, weights).clip(0)


def weigh(order: ndarray, likeness: Callable, k1: int, k2: int, itself: int = 1) -> ndarray:
    """Weigh the k-reciprocal neighbors of each item, and average over the nearest; ``(N, N)``."""
    weights = np.zeros((len(order), len(order)), np.float32)
    for item in range(len(order)):
        chosen = reciprocal_set(order, item, k1, itself)
        weight = np.exp(likeness(item, chosen))
        weights[item, chosen] = weight / weight.sum()
    return np.stack([weights[nearest[:k2]].mean(0) for nearest in order])


def reciprocal_set(order: ndarray, item: int, k: int, itself: int = 1) -> ndarray:
    """Find k-reciprocal neighbors, ascending, with the smaller sets that lie in them.

    ``order (N, K)`` has items by distance, each its own first one; ``itself`` is 1 if the item is
    one more than ``k``, 0 if it is one of them.
    """
    core = _reciprocal(order, item, k + itself)
    members = [core]
    for candidate in core:
        smaller = _reciprocal(order, candidate, round(k / 2) + 1)
        if len(np.intersect1d(smaller, core)) > 2 / 3 * len(smaller):
            members.append(smaller)
    return np.unique(np.concatenate(members))


def jaccard_distances(rows: ndarray, others: ndarray) -> ndarray:
    """Jaccard distances ``(R, G)`` of dense rows ``(R, N)`` and ``(G, N)`` with the sum 1."""
    holders = [np.flatnonzero(column) for column in others.T]
    distances = np.empty((len(rows), len(others)), np.float32)
    for item, row in enumerate(rows):
        minima = np.zeros(len(others), np.float32)
        for column in np.flatnonzero(row):
            near = holders[column]
            minima[near] += np.minimum(row[column], others[near, column])
        distances[item] = 1 - minima / (2 - minima)
    return distances


def _reciprocal(order: ndarray, item: int, length: int) -> ndarray:
    """Items among the nearest of an item that have it among theirs."""
    nearest = order[item, :length]
    return nearest[(order[nearest, :length] == item).any(1)]
