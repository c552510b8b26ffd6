"""Rows of which few elements are not zero."""

from typing import NamedTuple

import numpy as np
from numba import njit


class SparseRows(NamedTuple):
    """A matrix in compressed rows: row ``i`` holds elements ``starts[i]:starts[i + 1]``.

    Args:
        starts (np.ndarray): ``(N + 1,)`` int64.
        columns (np.ndarray): ``(E,)`` int32, ascending in each row.
        values (np.ndarray): ``(E,)`` float32.
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    def rows(self, start: int, stop: int) -> 'SparseRows':
        """Copy of some consecutive rows."""
        first, last = self.starts[start], self.starts[stop]
        starts = self.starts[start : stop + 1] - first
        return SparseRows(starts, self.columns[first:last].copy(), self.values[first:last].copy())

    def transpose(self, num_columns: int) -> 'SparseRows':
        """Rows of the transposed matrix."""
        starts, columns = np.zeros(num_columns + 1, np.int64), np.empty_like(self.columns)
        values = np.empty_like(self.values)
        _transpose(*self, starts, columns, values)
        return SparseRows(starts, columns, values)


def row_starts(counts: np.ndarray) -> np.ndarray:
    """Where each row starts, ``(N + 1,)``, for numbers of elements ``(N,)``."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


@njit(cache=True, nogil=True)
def _transpose(
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    turned_starts: np.ndarray,
    turned_columns: np.ndarray,
    turned_values: np.ndarray,
) -> None:
    for column in columns:
        turned_starts[column + 1] += 1
    for column in range(len(turned_starts) - 1):
        turned_starts[column + 1] += turned_starts[column]
    free = turned_starts[:-1].copy()
    for row in range(len(starts) - 1):
        for place in range(starts[row], starts[row + 1]):
            column = columns[place]
            turned_columns[free[column]] = row
            turned_values[free[column]] = values[place]
            free[column] += 1
