import numpy as np
import pytest
from literal_definitions import to_dense, to_sparse

from passreid.clustering.sparse_rows import row_starts


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    dense = rng.random((9, 13)).astype(np.float32) * (rng.random((9, 13)) < 0.3)
    dense[4] = 0
    return dense, to_sparse(dense)


def test_row_starts():
    assert row_starts(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]


def test_rows_are_cut_out(matrix):
    dense, rows = matrix
    for start, stop in ((0, 9), (3, 6), (8, 9), (4, 4)):
        np.testing.assert_array_equal(to_dense(rows.rows(start, stop), 13), dense[start:stop])


def test_transpose(matrix):
    dense, rows = matrix
    turned = rows.transpose(13)
    np.testing.assert_array_equal(to_dense(turned, 9), dense.T)
    for start, stop in zip(turned.starts[:-1], turned.starts[1:], strict=True):
        assert (np.diff(turned.columns[start:stop]) > 0).all()
