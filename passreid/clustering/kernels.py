"""Compiled loops over rows, and the threads that run them.

They share a file because numba's cache notices a change in the file of a kernel, but not one in
those of the kernels that it calls.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit
from scipy.sparse import csr_matrix

SEGMENT = 64
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def over_rows(kernel: Callable[..., Any], num_rows: int, *args: Any) -> list:
    """Call ``kernel(start, stop, *args)`` for pieces of the rows and list what the calls return.

    As many threads as torch uses work on them: plain ones instead of numba's own, which abort when
    two of them meet or after a fork. Of a ``csr_matrix`` a kernel gets
    ``(indptr, indices, data)``.
    """
    args = tuple((a.indptr, a.indices, a.data) if isinstance(a, csr_matrix) else a for a in args)
    threads = min(torch.get_num_threads(), num_rows)
    if threads <= 1:
        return [kernel(0, num_rows, *args)]
    pieces = min(4 * threads, num_rows)
    bounds = [num_rows * piece // pieces for piece in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda *piece: kernel(*piece, *args), bounds[:-1], bounds[1:]))


@njit(cache=True, nogil=True)
def keep_nearest(
    start: int,
    stop: int,
    block: np.ndarray,
    first_item: int,
    noise: np.ndarray,
    distances: np.ndarray,
    indices: np.ndarray,
) -> None:
    """Offer a block of distances ``(R, n)`` of the items from ``first_item`` on to each row.

    ``distances (R, k)`` and ``indices (R, k)`` are the nearest so far, nearest first; infinity and
    -1 where there is none. Finite distances below ``noise (R,)`` count as 0, and of equal distances
    the smaller index is the nearer one.
    """
    last = distances.shape[1] - 1
    for row in range(start, stop):
        line, nearest, items = block[row], distances[row], indices[row]
        for begin in range(0, len(line), SEGMENT):
            segment = line[begin : begin + SEGMENT]
            # Most segments hold nothing near, and their minimum is found many items at a time.
            if _minimum(segment) > nearest[last]:
                continue
            for place, distance in enumerate(segment):
                item = first_item + begin + place
                if -np.inf < distance < noise[row]:
                    distance = np.float32(0)
                if _is_nearer(distance, item, nearest[last], items[last]):
                    free = last
                    while free and _is_nearer(distance, item, nearest[free - 1], items[free - 1]):
                        nearest[free], items[free] = nearest[free - 1], items[free - 1]
                        free -= 1
                    nearest[free], items[free] = distance, item


# Without nan, which callers rule out, the order of comparisons is free.
@njit(cache=True, nogil=True, fastmath={'nnan', 'nsz'})
def _minimum(line: np.ndarray) -> float:
    least = line[0]
    for value in line:
        least = min(least, value)
    return least


@njit(cache=True, nogil=True)
def _is_nearer(distance: float, item: int, other_distance: float, other_item: int) -> bool:
    return distance < other_distance or (distance == other_distance and item < other_item)


@njit(cache=True, nogil=True)
def find_back(start: int, stop: int, indices: np.ndarray, places: np.ndarray) -> None:
    """Fill in the place of each item among the neighbors ``(N, K)`` of each of its neighbors."""
    for item in range(start, stop):
        for place, neighbor in enumerate(indices[item]):
            for back, other in enumerate(indices[neighbor]):
                if other == item:
                    places[item, place] = back
                    break


@njit(cache=True, nogil=True)
def expand_sets(
    start: int, stop: int, indices: np.ndarray, places: np.ndarray, half: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sizes of the expanded reciprocal sets and their members, ascending in each."""
    number, width = indices.shape
    counts = np.empty(stop - start, np.int64)
    members = np.empty((stop - start) * width * (1 + half), np.int32)
    # The item whose set, before or after expansion, another one was last put in.
    in_core, in_set = np.full(number, -1, np.int32), np.full(number, -1, np.int32)
    filled = 0
    for item in range(start, stop):
        first = filled
        for place, neighbor in enumerate(indices[item]):
            if places[item, place] < width:
                in_core[neighbor] = in_set[neighbor] = item
                members[filled] = neighbor
                filled += 1
        for candidate in members[first:filled].copy():
            size, common = 0, 0
            for place in range(half):
                if places[candidate, place] < half:
                    size += 1
                    common += in_core[indices[candidate, place]] == item
            if 3 * common <= 2 * size:
                continue
            for place in range(half):
                neighbor = indices[candidate, place]
                if places[candidate, place] < half and in_set[neighbor] != item:
                    in_set[neighbor] = item
                    members[filled] = neighbor
                    filled += 1
        members[first:filled].sort()
        counts[item - start] = filled - first
    return counts, members[:filled].copy()


# Free order of summation lets the dot product use all lanes of the processor.
@njit(cache=True, nogil=True, fastmath={'reassoc', 'contract'})
def _dot(left: np.ndarray, right: np.ndarray) -> np.float32:
    total = np.float32(0)
    for place in range(len(left)):
        total += left[place] * right[place]
    return total


@njit(cache=True, nogil=True)
def weigh_members(
    start: int,
    stop: int,
    rows: Rows,
    features: np.ndarray,
    squares: np.ndarray,
    scales: np.ndarray,
) -> None:
    """Fill in the weights of the members of each row, see :func:`.reciprocal.reciprocal_rows`."""
    starts, members, weights = rows
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
def _add_overlaps(
    row: int,
    rows: Rows,
    inverted: Rows,
    firsts: np.ndarray,
    sums: np.ndarray,
    touched: np.ndarray,
) -> int:
    """Add up the minima of one row and all others that share a column with it.

    Elements of each row of ``inverted``, the transpose of the others, count from ``firsts`` on.
    ``sums (G,)``, zeros before, get the sums of the others, which the first elements of
    ``touched (G,)`` list; their number is returned.
    """
    starts, columns, values = rows
    inverted_starts, others, other_values = inverted
    count = 0
    for place in range(starts[row], starts[row + 1]):
        column, value = columns[place], values[place]
        for element in range(firsts[column], inverted_starts[column + 1]):
            least = min(value, other_values[element])
            if least > 0:
                other = others[element]
                if sums[other] == 0:
                    touched[count] = other
                    count += 1
                sums[other] += least
    return count


@njit(cache=True, nogil=True)
def subtract_overlaps(
    start: int, stop: int, distances: np.ndarray, rows: Rows, inverted: Rows, weight: float
) -> None:
    """Subtract the weighted Jaccard similarities of each row from its distances."""
    sums = np.zeros(distances.shape[1], np.float32)
    touched = np.empty(distances.shape[1], np.int32)
    for row in range(start, stop):
        count = _add_overlaps(row, rows, inverted, inverted[0], sums, touched)
        for other in touched[:count]:
            # Both rows sum to 1, so the maxima sum to 2 less the minima.
            distances[row, other] -= weight * sums[other] / (2 - sums[other])
            sums[other] = 0


@njit(cache=True, nogil=True)
def distances_from_diagonal(
    start: int, stop: int, rows: Rows, inverted: Rows, max_distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute Jaccard distances on and above the diagonal, those up to ``max_distance``.

    Returns how many there are in each row, their columns, ascending, and their values.
    """
    starts, columns, _ = rows
    inverted_starts, others, _ = inverted
    number = len(starts) - 1
    sums, touched = np.zeros(number, np.float32), np.empty(number, np.int32)
    counts = np.empty(stop - start, np.int64)
    out_columns, out_values = np.empty(number, np.int32), np.empty(number, np.float32)
    # The first element of each column that is below the present row.
    later = np.empty(number, np.int64)
    for column in range(number):
        first, last = inverted_starts[column], inverted_starts[column + 1]
        later[column] = first + np.searchsorted(others[first:last], start)
    filled = 0
    for row in range(start, stop):
        for column in columns[starts[row] : starts[row + 1]]:
            later[column] += 1
        touches = _add_overlaps(row, rows, inverted, later, sums, touched)
        near = 0
        for other in touched[:touches]:
            # Both rows sum to 1, so the maxima sum to 2 less the minima.
            sums[other] = max(1 - sums[other] / (2 - sums[other]), 0)
            if sums[other] <= max_distance:
                touched[near] = other
                near += 1
            else:
                sums[other] = 0
        touched[:near].sort()
        counts[row - start] = near + 1
        if filled + near >= len(out_columns):
            out_columns = np.concatenate((out_columns, np.empty(filled + near, np.int32)))
            out_values = np.concatenate((out_values, np.empty(filled + near, np.float32)))
        out_columns[filled], out_values[filled] = row, 0
        filled += 1
        for other in touched[:near]:
            out_columns[filled], out_values[filled] = other, sums[other]
            sums[other] = 0
            filled += 1
    return counts, out_columns[:filled].copy(), out_values[:filled].copy()


@njit(cache=True, nogil=True)
def mirror(
    counts: np.ndarray,
    others: np.ndarray,
    distances: np.ndarray,
    free: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
) -> None:
    """Put what :func:`distances_from_diagonal` found in rows and columns, from ``free (N,)`` on."""
    place = 0
    for row, count in enumerate(counts):
        for _ in range(count):
            other = others[place]
            columns[free[row]], values[free[row]] = other, distances[place]
            free[row] += 1
            if other != row:
                columns[free[other]], values[free[other]] = row, distances[place]
                free[other] += 1
            place += 1
