import numpy as np
import pytest

from passreid.datasets import CrossCameraIdentitySampler


class Crops:
    def __init__(self, labels, cam_ids):
        self.pids, self.cam_ids = np.array(labels), np.array(cam_ids)

    def __len__(self):
        return len(self.pids)


def crops(num_ids=10):
    """Twelve images of each id by three cameras, in random order."""
    order = np.random.default_rng(2).permutation(12 * num_ids)
    return Crops(order // 12, order % 3)


def groups(sampler):
    """Indices, (B, P, K)."""
    return np.array(list(sampler)).reshape(-1, sampler.ids_per_batch, sampler.images_per_id)


def of_rank(rank, world_size, monkeypatch, batch_size=16, num_ids=10):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    return CrossCameraIdentitySampler(crops(num_ids), batch_size, 4, iterations=7, seed=0)


def test_batches_are_p_clusters_of_k_images_without_copies():
    data = crops()
    sampler = CrossCameraIdentitySampler(data, 16, 4, iterations=9, seed=0)
    indices = groups(sampler)
    assert len(sampler) == indices.size == 9 * 16
    pids = data.pids[indices]
    assert (pids == pids[:, :, :1]).all()
    assert all(len(set(ids)) == 4 for ids in pids[:, :, 0].tolist())
    assert all(len(set(group)) == 4 for group in indices.reshape(-1, 4).tolist())
    # 10 clusters fill two batches, then they are permuted anew.
    assert all(len(set(drawn)) == 8 for drawn in pids[:8, :, 0].reshape(-1, 8).tolist())


@pytest.mark.parametrize(
    ('cam_ids', 'possible'),
    [
        # Image 0 is the only one of its camera: the others follow it, or it follows them.
        ([0, 1, 1, 1, 1], {(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (2, 0), (3, 0), (4, 0)}),
        # One camera: anything but the anchor.
        ([2, 2, 2], {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}),
        # Unknown cameras are one camera, other than those that are known.
        ([-1, -1, 3], {(0, 2), (1, 2), (2, 0), (2, 1)}),
        ([5], {(0, 0)}),
    ],
)
def test_who_follows_whom(cam_ids, possible):
    data = Crops([0] * len(cam_ids), cam_ids)
    sampler = CrossCameraIdentitySampler(data, 8, 8, iterations=60, seed=0)
    indices = groups(sampler).reshape(-1, 8)
    assert {(anchor, other) for anchor, *others in indices.tolist() for other in others} == possible


@pytest.mark.parametrize('num_clusters', [1, 5])
def test_fewer_clusters_than_p(num_clusters):
    data = crops(num_clusters)
    sampler = CrossCameraIdentitySampler(data, 24, 4, iterations=6, seed=0)
    batches = data.pids[groups(sampler)][:, :, 0]
    assert len(sampler) == batches.size * 4 == 6 * 24
    assert all(set(batch) == set(range(num_clusters)) for batch in batches.tolist())
    # As evenly as possible.
    assert all(np.ptp(np.bincount(batch)) <= 1 for batch in batches)


def test_two_processes_draw_what_one_draws(monkeypatch):
    one = groups(of_rank(0, 1, monkeypatch, batch_size=16))
    two = [groups(of_rank(rank, 2, monkeypatch, batch_size=8)) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(two, axis=1), one)


def test_labels_may_change_between_epochs():
    data = crops()
    sampler = CrossCameraIdentitySampler(data, 16, 4, iterations=20, seed=0)
    labels = np.where(data.pids < 5, data.pids // 2 * 7, -1)
    sampler.set_labels(labels)
    drawn = labels[groups(sampler)]
    assert set(drawn.ravel().tolist()) == {0, 7, 14}
    assert (drawn == drawn[:, :, :1]).all()
    with pytest.raises(ValueError, match='120 samples'):
        sampler.set_labels([0, 1])


@pytest.mark.parametrize(('num_ids', 'expected'), [(2, 5), (100, 150), (1000, 400)])
def test_iterations_that_fit_the_images(num_ids, expected):
    # Of 12 images each, 16 a batch.
    sampler = CrossCameraIdentitySampler(crops(num_ids), 16, 4, iterations=None)
    assert len(sampler) == 16 * expected
