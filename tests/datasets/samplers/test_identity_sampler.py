import numpy as np
import pytest

from passreid.datasets import IdentitySampler


class Crops:
    """Images of ids that are numbered with gaps, in random order."""

    def __init__(self, counts, junk=0):
        pids = np.repeat(np.arange(len(counts)) * 3, counts)
        pids = np.concatenate([pids, np.full(junk, -1)])
        self.pids = np.random.default_rng(1).permutation(pids)

    def __len__(self):
        return len(self.pids)


CROPS = {
    'plenty': Crops([9, 8, 8, 12, 10, 8, 11, 30, 8, 9]),
    'few images': Crops([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]),
    'one giant': Crops([200, 4, 4, 4, 4, 4, 4, 4]),
    'two giants': Crops([160, 160, 12, 12, 8, 8, 8, 4, 4]),
    'with junk': Crops([5, 6, 7, 8, 9], junk=7),
}


def of_rank(crops, rank, world_size, monkeypatch, batch_size=16, epoch=0, **kwargs):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    sampler = IdentitySampler(crops, batch_size, seed=3, **kwargs)
    sampler.set_epoch(epoch)
    return sampler


def batches(sampler):
    """Indices, (B, P, K)."""
    return np.array(list(sampler)).reshape(-1, sampler.ids_per_batch, sampler.images_per_id)


@pytest.mark.parametrize('crops', CROPS.values(), ids=CROPS)
@pytest.mark.parametrize(('batch_size', 'images_per_id'), [(16, 4), (9, 3), (3, 1)])
@pytest.mark.parametrize('rule', ['all', 'published'])
def test_batches_are_p_ids_of_k_images(crops, batch_size, images_per_id, rule):
    sampler = IdentitySampler(crops, batch_size, images_per_id, seed=0, batches=rule)
    indices = batches(sampler)
    assert len(sampler) == indices.size > 0
    pids = crops.pids[indices]
    assert (pids == pids[:, :, :1]).all()
    assert all(len(set(ids)) == sampler.ids_per_batch for ids in pids[:, :, 0].tolist())
    assert pids.min() >= 0
    # An image comes twice only if its id has fewer than K.
    unique, counts = np.unique(crops.pids, return_counts=True)
    rare = np.isin(crops.pids[indices], unique[counts < images_per_id])
    assert len(np.unique(indices[~rare])) == indices[~rare].size
    # An id with few images makes one group.
    groups = np.maximum(counts[unique >= 0] // images_per_id, 1)
    drawn = np.array([(pids[:, :, 0] == pid).sum() for pid in unique[unique >= 0]])
    assert (drawn <= groups).all()
    left, most = np.sort(groups), 0
    # Batches of the ids with the most groups left are as many as there can be.
    while left[-sampler.ids_per_batch]:
        left[-sampler.ids_per_batch :] -= 1
        left, most = np.sort(left), most + 1
    assert len(indices) == most if rule == 'all' else len(indices) <= most


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_two_processes_draw_what_one_draws(rule, monkeypatch):
    def drawn(rank, world_size):
        options = dict(batch_size=16 // world_size, batches=rule)
        return batches(of_rank(CROPS['plenty'], rank, world_size, monkeypatch, **options))

    one, two = drawn(0, 1), [drawn(rank, 2) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(two, axis=1), one)


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_resume_from_any_offset_is_the_tail(rule, monkeypatch):
    options = dict(batch_size=8, epoch=2, batches=rule)
    sampler = of_rank(CROPS['few images'], 1, 2, monkeypatch, **options)
    order = [(index, getattr(index, 'repeat', 0)) for index in sampler]
    for start in range(0, len(order) + 1, 4):
        sampler.set_start(start)
        assert [(index, getattr(index, 'repeat', 0)) for index in sampler] == order[start:]
        assert len(sampler) == len(order)


def literal_length(groups, ids_per_batch, generator):
    """Count the batches of the published sampler: random ids until fewer than P have groups."""
    left, batches = list(groups), 0
    while sum(map(bool, left)) >= ids_per_batch:
        ids = [i for i, number in enumerate(left) if number]
        for i in generator.permutation(ids)[:ids_per_batch]:
            left[i] -= 1
        batches += 1
    return batches


def test_published_number_of_batches(monkeypatch):
    counts = 2 + np.random.default_rng(0).gamma(1, 8, 60).astype(int)
    groups = np.maximum(counts // 4, 1)
    generator = np.random.default_rng(9)
    expected = np.mean([literal_length(groups, 8, generator) for _ in range(100)])
    crops, options = Crops(counts), dict(batch_size=16, batches='published')
    for epoch in range(6):
        sampler = of_rank(crops, epoch % 2, 2, monkeypatch, epoch=epoch, **options)
        assert len(sampler) == len(list(sampler))
        assert abs(len(sampler) / 16 - expected) <= 1


def test_wrong_arguments(log):
    with pytest.raises(ValueError, match='16 ids .* 5 ids'):
        IdentitySampler(CROPS['with junk'], 64, seed=0)
    with pytest.raises(ValueError, match="'most'"):
        IdentitySampler(CROPS['plenty'], 16, seed=0, batches='most')
    IdentitySampler(CROPS['plenty'], 4, seed=0)
    assert log().count('batches of one id') == 1
