"""k-reciprocal neighbors (https://arxiv.org/abs/1701.08398, sections 3.2 and 3.3)."""

import numpy as np
from scipy.sparse import csr_matrix

from .kernels import expand_sets, find_back, over_rows, weigh_members


def reciprocal_rows(
    features: np.ndarray,
    indices: np.ndarray,
    k1: int,
    k2: int,
    size: int,
    squares: np.ndarray,
    scales: np.ndarray,
) -> csr_matrix:
    """Describe each item by weights on its reciprocal neighbors.

    Members of a set weigh ``exp(-distance * scale)``, those of each set 1 together. Then each row
    is replaced by the mean of those of the first ``k2`` neighbors (local query expansion).

    Args:
        features (np.ndarray): ``(N, D)`` float32.
        indices (np.ndarray): ``(N, K)`` int64: nearest neighbors in order, each item its own first.
        k1 (int): Size of the neighborhood as published.
        k2 (int): Neighbors to average over, an item itself counted; 1 for none.
        size (int): How many neighbors count for the sets: ``k1``, or ``k1 + 1`` if the item itself
            is not one of them.
        squares (np.ndarray): ``(N,)`` float32: what stands for the squared lengths of features in
            the squared Euclidean distance.
        scales (np.ndarray): ``(N,)`` float32, of each set.

    Returns:
        csr_matrix: ``(N, N)`` float32.
    """
    number = len(features)
    starts, members = reciprocal_sets(np.ascontiguousarray(indices[:, :size]), k1)
    weights = np.empty(len(members), np.float32)
    rows = csr_matrix((weights, members, starts), shape=(number, number))
    over_rows(weigh_members, number, rows, features, squares, scales)
    if k2 == 1:
        return rows
    near = indices[:, :k2]
    ends = np.arange(0, near.size + 1, near.shape[1])
    rows = csr_matrix((np.ones(near.size, np.float32), near.ravel(), ends), rows.shape) @ rows
    rows.sort_indices()
    rows.data /= near.shape[1]
    return rows


def reciprocal_sets(indices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k-reciprocal neighbors of each item, expanded by those of its neighbors.

    Items are reciprocal neighbors when each is among the nearest of the other. The smaller set of
    such a neighbor, among the nearest ``round(k / 2) + 1`` (a half to even), joins when more than
    two thirds of it are in the set before any expansion.

    Args:
        indices (np.ndarray): ``(N, K)`` int64: nearest neighbors in order, each item its own first.
        k (int): Size of the neighborhood as published, from which that of the smaller sets follows.

    Returns:
        tuple[np.ndarray, np.ndarray]: ``starts (N + 1,)`` int64 and ``members`` int32: the set of
        item ``i`` is ``members[starts[i]:starts[i + 1]]``, ascending.
    """
    number, width = indices.shape
    half = min(round(k / 2) + 1, width)
    places = np.full(indices.shape, width, np.int16)
    over_rows(find_back, number, indices, places)
    pieces = over_rows(expand_sets, number, indices, places, half)
    counts, members = map(np.concatenate, zip(*pieces, strict=True))
    return np.append(0, counts.cumsum()), members
