"""Overlap of sparse rows through an inverted index: only what two rows share is looked at."""

import numpy as np
from numba import njit

from .sparse_rows import SparseRows
from .threads import over_rows


def subtract_overlap_(
    distances: np.ndarray, rows: SparseRows, inverted: SparseRows, weight: float
) -> None:
    """Subtract ``weight`` times the Jaccard similarity of rows from distances, in place.

    Args:
        distances (np.ndarray): ``(R, G)`` float32.
        rows (SparseRows): ``(R, N)``, each with the sum 1.
        inverted (SparseRows): ``(N, G)``: the transpose of the rows to compare with.
        weight (float): Of the similarity.
    """
    over_rows(_subtract, len(distances), distances, *rows, *inverted, np.float32(weight))


@njit(cache=True, nogil=True)
def add_overlaps(
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
def _subtract(
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
    sums = np.zeros(distances.shape[1], np.float32)
    touched = np.empty(distances.shape[1], np.int32)
    for row in range(start, stop):
        count = add_overlaps(
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
