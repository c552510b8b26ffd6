"""Jaccard distance of sets of k-reciprocal neighbours, which images are clustered by."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .approximate_neighbours import approximate_neighbours
from .features import check_features
from .neighbours import mutual_neighbours
from .overlap_distances import overlap_distances
from .reciprocal_rows import average_rows, weigh_sets
from .reciprocal_sets import reciprocal_sets

SEARCHES = ('exact', 'faiss')


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
    """Compute the Jaccard distances of sets of k-reciprocal neighbours.

    Members of a set weigh ``softmax(2 f.g - 2)`` (https://arxiv.org/abs/1701.08398, sections 3.2
    and 3.3). Neighbours are the nearest by Euclidean distance. Memory grows with N x k1 and with
    the distances that are stored: those of pairs whose sets share an image.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite, usually of unit length.
        k1 (int): Size of the neighbourhood, an item itself counted; all items if there are fewer.
        k2 (int): Neighbours to average over, an item itself counted; 1 for none.
        max_distance (float, optional): Leave larger distances out.
        search (str): ``'exact'``, or ``'faiss'`` for approximate neighbours on the CPU, which pays
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
    if search not in SEARCHES:
        raise ValueError(f'search is {search!r}, expected one of {SEARCHES}')
    matrix = check_features('features', features, 'cpu' if search == 'faiss' else device)
    if search == 'faiss':
        indices = approximate_neighbours(matrix, max(k1, k2), progress)
    else:
        indices = mutual_neighbours(matrix, max(k1, k2), progress).indices
    starts, members = reciprocal_sets(np.ascontiguousarray(indices[:, :k1]), k1)
    ones = np.ones(len(matrix), np.float32)
    rows = weigh_sets(matrix.cpu().numpy(), starts, members, ones, ones)
    if k2 > 1:
        rows = average_rows(rows, indices[:, :k2])
    del indices, starts, members
    near = overlap_distances(rows, 1.0 if max_distance is None else max_distance)
    return csr_matrix((near.values, near.columns, near.starts), shape=2 * (len(matrix),))
