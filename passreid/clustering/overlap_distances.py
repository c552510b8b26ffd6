"""Jaccard distances among sparse rows, sparse as well."""

import numpy as np
from numba import njit

from .overlap import add_overlaps
from .sparse_rows import SparseRows, row_starts
from .threads import over_rows


def overlap_distances(rows: SparseRows, max_distance: float = 1.0) -> SparseRows:
    """Compute the Jaccard distances of all pairs of rows that share a column.

    Args:
        rows (SparseRows): ``(N, N)``, each with the sum 1.
        max_distance (float): Larger distances are left out.

    Returns:
        SparseRows: ``(N, N)``, symmetric; zeros, as on the diagonal, are stored.
    """
    number = len(rows.starts) - 1
    inverted = rows.transpose(number)
    pieces = over_rows(_distances_above, number, *rows, *inverted, np.float32(max_distance))
    del inverted
    above = np.concatenate([counts for counts, _, _ in pieces])
    below = sum(np.bincount(columns, minlength=number) for _, columns, _ in pieces)
    starts = row_starts(above + below + 1)
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    free = starts[:-1].copy()
    first = 0
    for counts, later, distances in pieces:
        _mirror(first, counts, later, distances, free, columns, values)
        first += len(counts)
    return SparseRows(starts, columns, values)


@njit(cache=True, nogil=True)
def _distances_above(
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
        touches = add_overlaps(
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


@njit(cache=True, nogil=True)
def _mirror(
    first_row: int,
    counts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    free: np.ndarray,
    out_columns: np.ndarray,
    out_values: np.ndarray,
) -> None:
    """Put elements above the diagonal in their rows and columns, rows in order of their index.

    Where an element comes to lie in a row is kept in ``free (N,)``.
    """
    place = 0
    for row in range(first_row, first_row + len(counts)):
        out_columns[free[row]], out_values[free[row]] = row, 0
        free[row] += 1
        for _ in range(counts[row - first_row]):
            column = columns[place]
            out_columns[free[row]], out_values[free[row]] = column, values[place]
            out_columns[free[column]], out_values[free[column]] = row, values[place]
            free[row] += 1
            free[column] += 1
            place += 1
