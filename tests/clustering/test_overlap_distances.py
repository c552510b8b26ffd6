import numpy as np
import pytest
import torch
from literal_definitions import jaccard, to_sparse

from passreid.clustering.overlap_distances import overlap_distances
from passreid.clustering.sparse_rows import SparseRows


def random_rows(seed, number, share):
    rng = np.random.default_rng(seed)
    dense = rng.random((number, number)) * (rng.random((number, number)) < share)
    dense[:, 0] += dense.sum(1) == 0
    dense = (dense / dense.sum(1, keepdims=True)).astype(np.float32)
    return dense, to_sparse(dense)


def as_dense(near, absent=1.0):
    dense = np.full(2 * (len(near.starts) - 1,), absent)
    for row, (start, stop) in enumerate(zip(near.starts[:-1], near.starts[1:], strict=True)):
        assert (np.diff(near.columns[start:stop]) > 0).all()
        dense[row, near.columns[start:stop]] = near.values[start:stop]
    return dense


@pytest.fixture
def num_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize(('number', 'share'), [(1, 1), (2, 0.5), (41, 0.03), (60, 0.2), (30, 1)])
def test_equals_the_dense_definition(num_threads, threads, number, share):
    num_threads(threads)
    dense, rows = random_rows(number, number, share)
    near = overlap_distances(rows)
    found = as_dense(near)
    np.testing.assert_allclose(found, jaccard(*2 * (dense.astype(float),)), rtol=0, atol=1e-6)
    assert (found == found.T).all()
    assert (found >= 0).all()
    # What is stored is what shares a column, and the diagonal.
    shares = (dense @ dense.T > 0) | np.eye(number, dtype=bool)
    assert (np.isnan(as_dense(near, np.nan)) == ~shares).all()
    assert [array.dtype for array in near] == [np.int64, np.int32, np.float32]


@pytest.mark.parametrize('max_distance', [0.0, 0.4, 0.8])
def test_larger_distances_are_left_out(max_distance):
    _, rows = random_rows(0, 80, 0.1)
    full = as_dense(overlap_distances(rows), np.inf)
    near = as_dense(overlap_distances(rows, max_distance), np.inf)
    np.testing.assert_array_equal(near, np.where(full <= np.float32(max_distance), full, np.inf))


def test_a_distance_of_exactly_the_limit_stays():
    _, rows = random_rows(3, 30, 0.3)
    full = overlap_distances(rows)
    limit = float(np.sort(full.values[full.values > 0])[20])
    near = overlap_distances(rows, limit)
    assert near.values.max() == np.float32(limit)


def test_equal_rows_are_stored_zeros():
    rows = SparseRows(np.array([0, 1, 2, 3]), np.array([1, 1, 2], np.int32), np.ones(3, np.float32))
    near = overlap_distances(rows, 0.5)
    assert near.columns.tolist() == [0, 1, 0, 1, 2]
    assert near.values.tolist() == [0] * 5


def test_weights_that_vanish_do_no_harm():
    rows = SparseRows(
        np.array([0, 2, 4]), np.array([0, 1, 0, 1], np.int32), np.float32([1, 0, 0, 1])
    )
    assert as_dense(overlap_distances(rows)).tolist() == [[0, 1], [1, 0]]
