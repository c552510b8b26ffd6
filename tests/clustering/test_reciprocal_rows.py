import numpy as np
import pytest
from literal_definitions import expanded_rows, people, squared_distances, to_dense, weighted_rows

from passreid.clustering.reciprocal_rows import average_rows, weigh_sets
from passreid.clustering.sparse_rows import row_starts


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    members = [sorted({item, *rng.integers(0, 40, 7).tolist()}) for item in range(40)]
    starts = row_starts(np.array([len(one) for one in members]))
    return members, starts, np.concatenate(members).astype(np.int32)


@pytest.fixture
def features():
    return people(0, 40, 5, dims=19)[0]


def test_weights_of_scaled_distances(sets, features):
    members, starts, flat = sets
    distances = squared_distances(features)
    scales = (3 / distances.max(1)).astype(np.float32)
    squares = (features**2).sum(1)
    rows = weigh_sets(features, starts, flat, squares, scales)
    expected = weighted_rows(members, distances * scales[:, None])
    np.testing.assert_allclose(to_dense(rows, 40), expected, atol=1e-6)
    assert rows.values.dtype == np.float32


@pytest.mark.parametrize('length', [1, 30])
def test_weights_of_products(sets, features, length):
    """Softmax of ``2 cos - 2``, also where features are long enough to overflow the exponential."""
    members, starts, flat = sets
    features = features / np.linalg.norm(features, axis=1, keepdims=True) * np.float32(length)
    ones = np.ones(40, np.float32)
    rows = weigh_sets(features, starts, flat, ones, ones)
    distances = 2 - 2 * features.astype(np.float64) @ features.T
    expected = weighted_rows(members, distances - distances.min(1, keepdims=True))
    np.testing.assert_allclose(to_dense(rows, 40), expected, atol=1e-5 * length**2)
    np.testing.assert_allclose(to_dense(rows, 40).sum(1), 1, atol=1e-6)


@pytest.mark.parametrize('k2', [1, 2, 6])
def test_average_of_neighbours(sets, features, k2):
    _, starts, flat = sets
    scales = np.full(40, 0.01, np.float32)
    rows = weigh_sets(features, starts, flat, (features**2).sum(1), scales)
    indices = np.random.default_rng(1).integers(0, 40, (40, 8))
    average = average_rows(rows, indices[:, :k2])
    expected = expanded_rows(to_dense(rows, 40), indices, k2)
    np.testing.assert_allclose(to_dense(average, 40), expected, atol=1e-7)
    for start, stop in zip(average.starts[:-1], average.starts[1:], strict=True):
        assert (np.diff(average.columns[start:stop]) > 0).all()
