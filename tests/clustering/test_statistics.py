import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from passreid.clustering import (
    ClusterStatistics,
    camera_proxies,
    cluster_centers,
    cluster_silhouette,
    cluster_statistics,
)


def test_sizes():
    found = cluster_statistics(np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, -1, -1]))
    assert found == ClusterStatistics(3, 2, smallest=2, median=3.0, largest=4)
    assert (found.moved, found.ari, found.nmi) == (None, None, None)


def test_without_clusters():
    found = cluster_statistics(np.full(4, -1), previous=np.zeros(4, int), true_ids=np.zeros(4, int))
    assert found == ClusterStatistics(0, 4, smallest=0, median=0.0, largest=0)


@pytest.mark.parametrize(
    ('previous', 'labels', 'moved'),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1], 0),
        ([0, 0, 1, 1], [1, 1, 0, 0], 0),  # Other numbers, the same clusters.
        ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], 1 / 5),
        ([0, 0, 0, 0], [0, 0, 1, 1], 1 / 2),
        ([0, 0, 0, -1, 1, 5], [2, 2, 1, 1, -1, 0], 1 / 4),  # Four had a cluster and have one.
        ([7, 7, 7, 900], [3, 3, 4, 3], 1 / 4),  # Numbers may have gaps.
        ([0, 0, -1], [-1, -1, 0], None),
    ],
)
def test_images_that_left_their_cluster(previous, labels, moved):
    found = cluster_statistics(np.array(labels), previous=np.array(previous))
    assert found.moved == (moved if moved is None else pytest.approx(moved))


def test_agreement_with_the_truth():
    truth = torch.tensor([5, 5, 5, 9, 9, 9, -1, 9])
    same = cluster_statistics(torch.tensor([1, 1, 1, 0, 0, 0, 0, -1]), true_ids=truth)
    assert (same.ari, same.nmi) == (1, 1)


def test_recorded_labels(reference):
    data = reference('cluster')
    names = ('labels_eps0.5', 'labels_eps0.6', 'ids')
    tight, loose, ids = (data[name].numpy() for name in names)
    for labels, previous in ((tight, loose), (loose, tight)):
        found = cluster_statistics(labels, previous, ids)
        assert found.num_clusters == labels.max() + 1
        assert found.num_outliers == (labels == -1).sum()
        stayed = [
            np.bincount(labels[(previous == cluster) & (labels >= 0)], minlength=1).max()
            for cluster in range(previous.max() + 1)
        ]
        both = (labels >= 0) & (previous >= 0)
        assert found.moved == pytest.approx(1 - sum(stayed) / both.sum())
        clustered = labels >= 0
        pair = ids[clustered], labels[clustered]
        expected = adjusted_rand_score(*pair), normalized_mutual_info_score(*pair)
        assert (found.ari, found.nmi) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('labels', 'cameras', 'share'),
    [
        ([0, 0, 1, 1, 1, -1], [3, 3, 3, 5, 3, 1], 1 / 2),
        ([0, 0, 1, 1], [0, 0, 1, 1], 1),
        ([0, 0, 1, 1], [0, 1, 1, 0], 0),
        ([0, 0, 1, 1], [2, 2, 2, 2], None),  # All have one camera.
        ([0, 0, 1, 1], [0, 1, 1, -1], None),  # Not all are known.
        ([-1, -1], [0, 1], None),
    ],
)
def test_clusters_of_one_camera(labels, cameras, share):
    found = cluster_statistics(np.array(labels), cam_ids=torch.tensor(cameras))
    assert found.one_camera == share


@pytest.mark.parametrize('name', ['previous', 'true_ids', 'cam_ids'])
def test_lengths_must_fit(name):
    with pytest.raises(ValueError, match=rf'{name} have shape \(2,\), expected \(3,\)'):
        cluster_statistics(np.zeros(3, int), **{name: np.zeros(2, int)})


def test_recorded_centers(reference):
    data = reference('cluster')
    centers = cluster_centers(data['features'], data['labels_eps0.6'])
    np.testing.assert_allclose(centers, data['centroids'], rtol=0, atol=1e-6)


def test_centers_leave_outliers_out():
    features = torch.tensor([[1.0, 2], [100, 100], [3, 4], [5, 5], [8, 0]])
    centers = cluster_centers(features, torch.tensor([1, -1, 1, 0, 1]))
    assert centers.tolist() == [[5, 5], [4, 2]]
    assert centers.dtype == np.float32
    assert cluster_centers(np.ones((3, 7)), np.full(3, -1)).shape == (0, 7)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [([0, 2, 2], 'cluster 1 of 3 empty'), ([0, 0], r'labels have shape \(2,\), expected \(3,\)')],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        cluster_centers(np.ones((3, 2)), np.array(labels))


@pytest.mark.parametrize('size', ['small', 'large'])
def test_recorded_proxies(reference, size):
    data = reference('camera_proxies')
    features, *labels = (data[f'{size}/{name}'] for name in ('features', 'labels', 'cams'))
    # The lengths of the features do not matter.
    lengths = torch.linspace(0.1, 9, len(features))[:, None]
    proxies, *owners = camera_proxies(features * lengths, *labels)
    np.testing.assert_allclose(proxies, data[f'{size}/proxies'], rtol=0, atol=1e-6)
    for found, name in zip(owners, ('proxy_pids', 'proxy_cids'), strict=True):
        np.testing.assert_array_equal(found, data[f'{size}/{name}'])
        assert found.dtype == np.int64
    assert proxies.dtype == np.float32


def test_proxies_leave_outliers_and_unknown_cameras_out():
    features = np.array([[2.0, 0], [0, 1], [5, 5], [7, 0], [3, 0], [0, 3]])
    labels, cameras = np.array([4, 4, 4, 0, -1, 4]), torch.tensor([1, 1, -1, 8, 1, 0])
    proxies, *owners = camera_proxies(features, labels, cameras)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(proxies, [[1, 0], [0, 1], [half, half]], atol=1e-6)
    assert [owner.tolist() for owner in owners] == [[0, 4, 4], [8, 0, 1]]
    shapes = [found.shape for found in camera_proxies(features, labels, np.full(6, -1))]
    assert shapes == [(0, 2), (0,), (0,)]


@pytest.mark.parametrize('name', ['labels', 'cam_ids'])
def test_lengths_of_what_belongs_to_proxies_must_fit(name):
    given = dict(features=np.ones((3, 2)), labels=np.zeros(3, int), cam_ids=np.zeros(3, int))
    with pytest.raises(ValueError, match=rf'{name} have shape \(2,\), expected \(3,\)'):
        camera_proxies(**given | {name: np.zeros(2, int)})


def literal_silhouette(features, labels, cam_ids):
    """The same, image by image."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines, values = unit @ unit.T, []
    for image, (label, camera) in enumerate(zip(labels, cam_ids, strict=True)):
        others = np.arange(len(labels)) != image
        if len({*cam_ids.tolist()}) > 1:
            others &= cam_ids != camera
        means = {
            cluster: cosines[image, others & (labels == cluster)].mean()
            for cluster in {*labels[others].tolist()} - {-1}
        }
        near, far = means.pop(label, None), max(means.values(), default=None)
        valid = label >= 0 and near is not None and far is not None
        values.append((near - far) / max(1 - near, 1 - far) if valid else 0)
    return np.mean(values)


@pytest.mark.parametrize('cameras', [1, 3])
def test_silhouette_across_cameras(cameras):
    generator = np.random.default_rng(0)
    labels, cam_ids = generator.integers(-1, 6, 80), generator.integers(0, cameras, 80)
    labels[:9], cam_ids[:9] = [6, 7, 7, 7, 8, 8, 8, 9, 9], 0  # Some seen by one camera.
    features = generator.normal(size=(80, 12)) + 3 * np.eye(10, 12)[labels]
    found = cluster_silhouette(features.astype(np.float32), labels, cam_ids)
    assert found == pytest.approx(literal_silhouette(features, labels, cam_ids), abs=1e-5)
    # Right clusters are better than random ones, and one is none.
    assert found > 0.05 > cluster_silhouette(features, generator.permutation(labels), cam_ids)
    assert cluster_silhouette(features, np.minimum(labels, 0), cam_ids) == 0
