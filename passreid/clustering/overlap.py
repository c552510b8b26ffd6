"""Overlap of sparse rows through an inverted index: only what two rows share is looked at."""

import numpy as np

from .overlap_kernels import subtract_overlaps
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
    over_rows(subtract_overlaps, len(distances), distances, *rows, *inverted, np.float32(weight))
