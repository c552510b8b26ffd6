import numpy as np
import pytest
from literal_definitions import literal_jaccard, people
from sklearn.cluster import DBSCAN

from passreid.clustering import cluster_pseudo_labels, find_clusters, jaccard_distance

EPS = 0.5137  # No distance of few equal weights.


@pytest.mark.parametrize('eps', [0.5, 0.6])
def test_recorded_labels(reference, eps):
    data = reference('cluster')
    labels = cluster_pseudo_labels(data['features'], eps)
    np.testing.assert_array_equal(labels, data[f'labels_eps{eps}'])
    assert labels.dtype == np.int64


@pytest.mark.parametrize('min_samples', [1, 4, 9])
@pytest.mark.parametrize(
    ('number', 'num_ids', 'spread', 'k1', 'k2'),
    [
        (120, 8, 2, 30, 6),
        (120, 30, 0, 20, 6),
        (90, 90, 2, 10, 1),
        (90, 12, 5, 8, 2),
        (12, 2, 3, 30, 6),
        (1, 1, 0, 30, 6),
        (40, 1, 0, 10, 4),
        (70, 1, 3, 20, 6),
    ],
)
def test_same_as_of_the_dense_definition(number, num_ids, spread, k1, k2, min_samples):
    features = people(number, number, num_ids, spread=spread)[0] / np.float32(32)
    dense = DBSCAN(eps=EPS, min_samples=min_samples, metric='precomputed')
    expected = dense.fit(literal_jaccard(features, k1, k2)).labels_
    labels = cluster_pseudo_labels(features, EPS, min_samples, k1, k2)
    np.testing.assert_array_equal(labels, expected)


def test_settings_that_fit_the_images(reference):
    features = reference('cluster')['features']
    found = find_clusters(features, None, k1=None)
    # A quarter of the root of the number of images would be less than 8.
    assert len(features) < 32**2 and found.k1 == 8
    labels = {eps: cluster_pseudo_labels(features, eps, k1=8) for eps in np.arange(6, 15) / 20}
    numbers = {eps: own.max() + 1 for eps, own in labels.items()}
    assert numbers[found.eps] == max(numbers.values()) > min(numbers.values())
    np.testing.assert_array_equal(found.labels, labels[found.eps])
    many = np.random.default_rng(0).normal(size=(6400, 2)).astype(np.float32)
    assert find_clusters(many, 0.3, k1=None).k1 == 20


def test_a_distance_of_exactly_eps_is_near(reference):
    """The comparison is that of the dense matrix, however a float32 distance rounds."""
    features = reference('cluster')['features']
    dense = np.ones([len(features)] * 2, np.float32)
    entries = jaccard_distance(features).tocoo()
    dense[entries.row, entries.col] = entries.data
    for eps in np.unique(dense)[100:-1:4000]:
        expected = DBSCAN(eps=float(eps), min_samples=4, metric='precomputed').fit(dense).labels_
        labels = cluster_pseudo_labels(features, float(eps))
        np.testing.assert_array_equal(labels, expected)


def test_all_outliers_and_one_cluster():
    features = people(0, 60, 60)[0] / np.float32(16)
    assert (cluster_pseudo_labels(features, k1=1, k2=1) == -1).all()
    assert (cluster_pseudo_labels(features, min_samples=61) == -1).all()
    assert (cluster_pseudo_labels(features, 0.99, min_samples=1, k1=60) == 0).all()
    assert (cluster_pseudo_labels(np.ones((9, 4))) == 0).all()


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'eps': 0}, 'eps is 0'),
        ({'eps': 1.0}, 'eps is 1.0'),
        ({'min_samples': 0}, 'min_samples is 0'),
    ],
)
def test_bad_input_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        cluster_pseudo_labels(np.eye(4, dtype=np.float32), **wrong)
