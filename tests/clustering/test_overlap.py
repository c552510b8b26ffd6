import numpy as np
import pytest
from literal_definitions import jaccard, to_sparse

from passreid.clustering.neighbours import mutual_neighbours
from passreid.clustering.overlap import subtract_overlap_
from passreid.clustering.reciprocal_rows import average_rows, weigh_sets
from passreid.clustering.reciprocal_sets import reciprocal_sets
from passreid.clustering.sparse_rows import SparseRows


def random_rows(seed, number, width, share):
    rng = np.random.default_rng(seed)
    dense = rng.random((number, width)) * (rng.random((number, width)) < share)
    dense[:, 0] += 0.01 * (dense.sum(1) == 0)
    dense = (dense / dense.sum(1, keepdims=True)).astype(np.float32)
    return dense, to_sparse(dense)


@pytest.mark.parametrize('share', [0.02, 0.3, 1.0])
@pytest.mark.parametrize('weight', [1.0, 0.7])
def test_equals_minima_by_maxima(share, weight):
    dense, rows = random_rows(0, 11, 30, share)
    other_dense, others = random_rows(1, 25, 30, share)
    before = np.random.default_rng(2).random((11, 25)).astype(np.float32)
    distances = before.copy()
    subtract_overlap_(distances, rows, others.transpose(30), weight)
    expected = before - weight * (1 - jaccard(dense.astype(float), other_dense.astype(float)))
    np.testing.assert_allclose(distances, expected, atol=1e-6)


def test_weights_that_vanish_do_no_harm():
    rows = SparseRows(np.array([0, 3]), np.arange(3, dtype=np.int32), np.float32([1, 0, 0]))
    distances = np.ones((1, 1), np.float32)
    subtract_overlap_(distances, rows, rows.transpose(3), 1.0)
    assert distances == 0


@pytest.mark.parametrize(
    ('k1', 'k2', 'name'), [(30, 6, 'jaccard'), (20, 1, 'jaccard_k1_20_k2_1_first40')]
)
def test_recorded_distances_of_clustering(reference, k1, k2, name):
    data = reference('cluster')
    features = data['features']
    found = mutual_neighbours(features, k1)
    ones = np.ones(len(features), np.float32)
    rows = weigh_sets(features.numpy(), *reciprocal_sets(found.indices, k1), ones, ones)
    rows = average_rows(rows, found.indices[:, :k2])
    distances = np.ones((len(features), len(features)), np.float32)
    subtract_overlap_(distances, rows, rows.transpose(len(features)), 1.0)
    expected = data[name].numpy()
    np.testing.assert_allclose(distances[: len(expected)], expected, rtol=0, atol=5e-6)
