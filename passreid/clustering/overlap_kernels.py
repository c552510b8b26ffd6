"""Kernels of overlaps.

They share a file because the cache of numba notices a change in the file of a kernel, and not one
in those of the kernels that it calls.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _add_overlaps(
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    row: int,
    inverted_starts: np.ndarray,
    inverted_stops: np.ndarray,
    inverted_columns: np.ndarray,
    inverted_values: np.ndarray,
    sums: np.ndarray,
    touched: np.ndarray,
) -> int:
    """Sum the minima of one row and others.

    Args:
        starts (np.ndarray): Of the rows.
        columns (np.ndarray): Of the rows.
        values (np.ndarray): Of the rows.
        row (int): Which one.
        inverted_starts (np.ndarray): ``(N,)``: first element of each column that counts.
        inverted_stops (np.ndarray): ``(N,)``: element after the last that counts.
        inverted_columns (np.ndarray): The other row of each element.
        inverted_values (np.ndarray): Of the elements.
        sums (np.ndarray): ``(G,)``, one for each other row, zeros before.
        touched (np.ndarray): ``(G,)``; its first elements become the rows with a sum.

    Returns:
        int: How many rows have a sum.
    """
    count = 0
    for place in range(starts[row], starts[row + 1]):
        column, value = columns[place], values[place]
        for other in range(inverted_starts[column], inverted_stops[column]):
            least = min(value, inverted_values[other])
            if least > 0:
                item = inverted_columns[other]
                if sums[item] == 0:
                    touched[count] = item
                    count += 1
                sums[item] += least
    return count


@njit(cache=True, nogil=True)
def subtract_overlaps(
    start: int,
    stop: int,
    distances: np.ndarray,
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    inverted_starts: np.ndarray,
    inverted_columns: np.ndarray,
    inverted_values: np.ndarray,
    weight: float,
) -> None:
    """Subtract the weighted similarities of each row from its distances; see `overlap.py`."""
    sums = np.zeros(distances.shape[1], np.float32)
    touched = np.empty(distances.shape[1], np.int32)
    for row in range(start, stop):
        count = _add_overlaps(
            starts,
            columns,
            values,
            row,
            inverted_starts[:-1],
            inverted_starts[1:],
            inverted_columns,
            inverted_values,
            sums,
            touched,
        )
        for item in touched[:count]:
            # Both rows sum to 1, so the maxima sum to 2 less the minima.
            distances[row, item] -= weight * sums[item] / (2 - sums[item])
            sums[item] = 0


@njit(cache=True, nogil=True)
def distances_above(
    start: int,
    stop: int,
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    inverted_starts: np.ndarray,
    inverted_columns: np.ndarray,
    inverted_values: np.ndarray,
    max_distance: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute distances above the diagonal: how many of each row, their columns and values."""
    number = len(starts) - 1
    sums, touched = np.zeros(number, np.float32), np.empty(number, np.int32)
    counts = np.empty(stop - start, np.int64)
    out_columns, out_values = np.empty(number, np.int32), np.empty(number, np.float32)
    # The first element of each column that is in the present row or below.
    later = np.empty(number, np.int64)
    for column in range(number):
        first, last = inverted_starts[column], inverted_starts[column + 1]
        later[column] = first + np.searchsorted(inverted_columns[first:last], start)
    filled = 0
    for row in range(start, stop):
        # The elements of the row itself are passed by, for the pair of it with itself.
        for column in columns[starts[row] : starts[row + 1]]:
            later[column] += 1
        touches = _add_overlaps(
            starts,
            columns,
            values,
            row,
            later,
            inverted_starts[1:],
            inverted_columns,
            inverted_values,
            sums,
            touched,
        )
        near = 0
        for item in touched[:touches]:
            # Both rows sum to 1, so the maxima sum to 2 less the minima.
            sums[item] = max(1 - sums[item] / (2 - sums[item]), 0)
            if sums[item] <= max_distance:
                touched[near] = item
                near += 1
            else:
                sums[item] = 0
        touched[:near].sort()
        if filled + near > len(out_columns):
            out_columns = np.concatenate((out_columns, np.empty(filled + near, np.int32)))
            out_values = np.concatenate((out_values, np.empty(filled + near, np.float32)))
        for item in touched[:near]:
            out_columns[filled], out_values[filled] = item, sums[item]
            sums[item] = 0
            filled += 1
        counts[row - start] = near
    return counts, out_columns[:filled].copy(), out_values[:filled].copy()
