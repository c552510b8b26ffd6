"""Items described by their weights on others (https://arxiv.org/abs/1701.08398, section 3.3)."""

import numpy as np
from numba import njit

from .sparse_rows import SparseRows, row_starts
from .threads import over_rows


def weigh_sets(
    features: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    squares: np.ndarray,
    scales: np.ndarray,
) -> SparseRows:
    """Weigh the members of sets by ``exp(-distance * scale)``; the weights of each set sum to 1.

    Args:
        features (np.ndarray): ``(N, D)`` float32.
        starts (np.ndarray): ``(N + 1,)`` where the set of each item starts.
        members (np.ndarray): ``(E,)`` int32, ascending in each set.
        squares (np.ndarray): ``(N,)`` float32: what stands for the squared lengths of features in
            the squared Euclidean distance.
        scales (np.ndarray): ``(N,)`` float32, of each set.

    Returns:
        SparseRows: ``(N, N)``.
    """
    weights = np.empty(len(members), np.float32)
    over_rows(_weigh, len(features), features, starts, members, squares, scales, weights)
    return SparseRows(starts, members, weights)


def average_rows(rows: SparseRows, indices: np.ndarray) -> SparseRows:
    """Replace each row by the mean of those of its neighbours (local query expansion).

    Args:
        rows (SparseRows): ``(N, N)``.
        indices (np.ndarray): ``(N, k2)`` int64: neighbours of each item, itself included.

    Returns:
        SparseRows: ``(N, N)``.
    """
    pieces = over_rows(_average, len(indices), *rows, np.ascontiguousarray(indices))
    counts, columns, values = map(np.concatenate, zip(*pieces, strict=True))
    return SparseRows(row_starts(counts), columns, values)


# Free order of summation lets the dot product use all lanes of the processor.
@njit(cache=True, nogil=True, fastmath={'reassoc', 'contract'})
def _dot(left: np.ndarray, right: np.ndarray) -> np.float32:
    total = np.float32(0)
    for place in range(len(left)):
        total += left[place] * right[place]
    return total


@njit(cache=True, nogil=True)
def _weigh(
    start: int,
    stop: int,
    features: np.ndarray,
    starts: np.ndarray,
    members: np.ndarray,
    squares: np.ndarray,
    scales: np.ndarray,
    weights: np.ndarray,
) -> None:
    for item in range(start, stop):
        first, last = starts[item], starts[item + 1]
        nearest = np.inf
        for place in range(first, last):
            member = members[place]
            distance = squares[item] + squares[member]
            distance -= 2 * _dot(features[item], features[member])
            weights[place] = scales[item] * distance
            nearest = min(nearest, weights[place])
        total = 0.0
        for place in range(first, last):
            # The same after division by the sum, and safe from overflow.
            weights[place] = np.exp(nearest - weights[place])
            total += weights[place]
        for place in range(first, last):
            weights[place] /= total


@njit(cache=True, nogil=True)
def _average(
    start: int,
    stop: int,
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    indices: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = np.empty(stop - start, np.int64)
    room = 0
    for item in range(start, stop):
        for neighbour in indices[item]:
            room += starts[neighbour + 1] - starts[neighbour]
    out_columns, out_values = np.empty(room, np.int32), np.empty(room, np.float32)
    number, width = indices.shape
    sums, last_item = np.zeros(number, np.float32), np.full(number, -1, np.int32)
    filled = 0
    for item in range(start, stop):
        first = filled
        for neighbour in indices[item]:
            for place in range(starts[neighbour], starts[neighbour + 1]):
                column = columns[place]
                if last_item[column] != item:
                    last_item[column] = item
                    sums[column] = 0
                    out_columns[filled] = column
                    filled += 1
                sums[column] += values[place]
        out_columns[first:filled].sort()
        for place in range(first, filled):
            out_values[place] = sums[out_columns[place]] / width
        counts[item - start] = filled - first
    return counts, out_columns[:filled].copy(), out_values[:filled].copy()
