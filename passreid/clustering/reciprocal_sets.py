"""Sets of k-reciprocal neighbours (https://arxiv.org/abs/1701.08398, sections 3.2 and 3.3)."""

import numpy as np
from numba import njit

from .sparse_rows import row_starts
from .threads import over_rows


def reciprocal_sets(indices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k-reciprocal neighbours of each item, expanded by those of its neighbours.

    Items are reciprocal neighbours when each is among the nearest of the other. The smaller set of
    such a neighbour, among the nearest ``round(k / 2) + 1`` (a half to even), joins when more than
    two thirds of it are in the set before any expansion.

    Args:
        indices (np.ndarray): ``(N, K)`` int64: neighbours in the order of their distance; each
            item is its own first one. All of them count for the set.
        k (int): Size of the neighbourhood as published, from which that of the smaller sets
            follows.

    Returns:
        tuple[np.ndarray, np.ndarray]: ``starts (N + 1,)`` int64 and ``members`` int32: the set of
        item ``i`` is ``members[starts[i]:starts[i + 1]]``, ascending.
    """
    half = min(round(k / 2) + 1, indices.shape[1])
    mutual = _mutual(indices)
    mutual_of_half = _mutual(np.ascontiguousarray(indices[:, :half]))
    pieces = over_rows(_expand, len(indices), indices, mutual, mutual_of_half)
    counts, members = zip(*pieces, strict=True)
    return row_starts(np.concatenate(counts)), np.concatenate(members)


def _mutual(indices: np.ndarray) -> np.ndarray:
    mutual = np.zeros(indices.shape, np.bool_)
    over_rows(_mark_mutual, len(indices), indices, mutual)
    return mutual


@njit(cache=True, nogil=True)
def _mark_mutual(start: int, stop: int, indices: np.ndarray, mutual: np.ndarray) -> None:
    for item in range(start, stop):
        for place, neighbour in enumerate(indices[item]):
            for back in indices[neighbour]:
                if back == item:
                    mutual[item, place] = True
                    break


@njit(cache=True, nogil=True)
def _expand(
    start: int, stop: int, indices: np.ndarray, mutual: np.ndarray, mutual_of_half: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    number, width = mutual.shape
    half = mutual_of_half.shape[1]
    counts = np.empty(stop - start, np.int64)
    members = np.empty((stop - start) * width * (1 + half), np.int32)
    # The item whose set, before or after expansion, another one was last put in.
    in_core = np.full(number, -1, np.int32)
    in_set = np.full(number, -1, np.int32)
    filled = 0
    for item in range(start, stop):
        first = filled
        for place in range(width):
            neighbour = indices[item, place]
            if mutual[item, place]:
                in_core[neighbour] = in_set[neighbour] = item
                members[filled] = neighbour
                filled += 1
        for candidate in members[first:filled].copy():
            size, common = 0, 0
            for place in range(half):
                if mutual_of_half[candidate, place]:
                    size += 1
                    common += in_core[indices[candidate, place]] == item
            if 3 * common <= 2 * size:
                continue
            for place in range(half):
                neighbour = indices[candidate, place]
                if mutual_of_half[candidate, place] and in_set[neighbour] != item:
                    in_set[neighbour] = item
                    members[filled] = neighbour
                    filled += 1
        members[first:filled].sort()
        counts[item - start] = filled - first
    return counts, members[:filled].copy()
