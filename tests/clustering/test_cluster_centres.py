import tracemalloc

import numpy as np
import pytest
import torch

from passreid.clustering import cluster_centres


def test_recorded_means(reference):
    data = reference('cluster')
    centres = cluster_centres(data['features'], data['labels_eps0.6'])
    np.testing.assert_allclose(centres, data['centroids'], rtol=0, atol=1e-6)


def test_plain_means_without_outliers():
    features = torch.tensor([[1.0, 2], [100, 100], [3, 4], [5, 5], [8, 0]])
    centres = cluster_centres(features, torch.tensor([1, -1, 1, 0, 1]))
    assert centres.tolist() == [[5, 5], [4, 2]]
    assert centres.dtype == np.float32


def test_means_of_many_keep_their_digits():
    features = np.full((100_000, 1), 0.1, np.float32)
    assert cluster_centres(features, np.zeros(100_000, int)) == np.float32(0.1)


def test_without_clusters_there_are_none():
    assert cluster_centres(np.ones((3, 7)), np.full(3, -1)).shape == (0, 7)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([0, 2, 2], 'labels leave cluster 1 of 3 empty'),
        ([0, 0], r'labels have shape \(2,\), expected \(3,\)'),
        ([[0], [0], [0]], r'labels have shape \(3, 1\), expected \(3,\)'),
        ([0, -2, 0], r'labels hold -2, expected -1 \(none\) or more'),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        cluster_centres(np.ones((3, 2)), np.array(labels))


def test_labels_are_integers():
    with pytest.raises(TypeError, match='labels hold float64, expected integers'):
        cluster_centres(np.ones((3, 2)), np.zeros(3))


def test_features_are_not_copied():
    features = np.random.default_rng(0).standard_normal((4000, 512), dtype=np.float32)
    labels = np.arange(4000) % 100
    tracemalloc.start()
    centres = cluster_centres(features, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes / 2
    expected = features.reshape(40, 100, 512).mean(0, dtype=np.float64)
    np.testing.assert_allclose(centres, expected, rtol=0, atol=1e-6)
