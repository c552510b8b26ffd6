"""Dense matrices as compressed rows and back."""

import numpy as np

from passreid.clustering.sparse_rows import SparseRows, row_starts


def to_dense(rows, width):
    """Matrix ``(N, width)`` of compressed rows."""
    dense = np.zeros((len(rows.starts) - 1, width), np.float32)
    for row, (start, stop) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        dense[row, rows.columns[start:stop]] = rows.values[start:stop]
    return dense


def to_sparse(dense):
    """Compress the rows of a matrix."""
    rows, columns = dense.nonzero()
    starts = row_starts(np.bincount(rows, minlength=len(dense)))
    return SparseRows(starts, columns.astype(np.int32), dense[rows, columns])
