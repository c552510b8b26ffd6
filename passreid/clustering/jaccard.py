"""Jaccard distance of sets of k-reciprocal neighbors, which images are clustered by."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .approximate import approximate_neighbors
from .kernels import distances_from_diagonal, mirror, over_rows
from .neighbors import check_features, mutual_neighbors
from .reciprocal import reciprocal_rows


def jaccard_distance(
    features: Any,
    k1: int = 30,
    k2: int = 6,
    *,
    max_distance: float | None = None,
    search: str = 'exact',
    device: torch.device | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> csr_matrix:
    """Compute the Jaccard distances of sets of k-reciprocal neighbors.

    Members of a set weigh ``softmax(2 f.g - 2)`` (https://arxiv.org/abs/1701.08398, sections 3.2
    and 3.3). Neighbors are the nearest by Euclidean distance. Memory grows with N x k1 and with
    the distances that are stored: those of pairs whose sets share an image.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite, usually of unit length.
        k1 (int): Size of the neighborhood, an item itself counted; all items if there are fewer.
        k2 (int): Neighbors to average over, an item itself counted; 1 for none.
        max_distance (float, optional): Leave larger distances out.
        search (str): ``'exact'``, or ``'faiss'`` for approximate neighbors on the CPU, which pays
            for hundreds of thousands of images.
        device (torch.device | str, optional): Where to search; by default where the features are.
        progress (Callable, optional): Called with how many parts of the search, the longest piece
            of the work, are done and how many there are.

    Returns:
        csr_matrix: ``(N, N)`` float32, symmetric. Absent elements stand for the distance 1, with
        ``max_distance`` for larger ones than that; zeros, as on the diagonal, are stored.

    Raises:
        ImportError: If faiss is wanted and not installed.
        ValueError: If the features are not a finite matrix or a parameter is out of range.
    """
    for name, value in (('k1', k1), ('k2', k2)):
        if value < 1:
            raise ValueError(f'{name} is {value}, expected at least 1')
    if max_distance is not None and not 0 <= max_distance <= 1:
        raise ValueError(f'max_distance is {max_distance}, expected between 0 and 1')
    if search not in ('exact', 'faiss'):
        raise ValueError(f"search is {search!r}, expected 'exact' or 'faiss'")
    matrix = check_features('features', features, 'cpu' if search == 'faiss' else device)
    if search == 'faiss':
        indices = approximate_neighbors(matrix, max(k1, k2), progress)
    else:
        indices = mutual_neighbors(matrix, max(k1, k2), progress)[0]
    ones = np.ones(len(matrix), np.float32)
    rows = reciprocal_rows(matrix.cpu().numpy(), indices, k1, k2, k1, ones, ones)
    del indices
    return overlap_distances(rows, 1.0 if max_distance is None else max_distance)


def overlap_distances(rows: csr_matrix, max_distance: float = 1.0) -> csr_matrix:
    """Compute the Jaccard distances of rows ``(N, N)``, each with the sum 1, that share a column.

    Larger distances than ``max_distance`` are left out; zeros, as on the diagonal, are stored.
    """
    number, limit = rows.shape[0], np.float32(max_distance)
    pieces = over_rows(distances_from_diagonal, number, rows, rows.T.tocsr(), limit)
    counts, others, above = map(np.concatenate, zip(*pieces, strict=True))
    del pieces
    # The diagonal is in both numbers.
    starts = np.append(0, np.cumsum(counts + np.bincount(others, minlength=number) - 1))
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    mirror(counts, others, above, starts[:-1].copy(), columns, values)
    return csr_matrix((values, columns, starts), rows.shape)
