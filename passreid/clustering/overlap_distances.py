"""Jaccard distances among sparse rows, sparse as well."""

import numpy as np
from numba import njit

from .overlap_kernels import distances_above
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
    pieces = over_rows(distances_above, number, *rows, *inverted, np.float32(max_distance))
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
