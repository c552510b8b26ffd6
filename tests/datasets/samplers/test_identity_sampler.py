import time

import numpy as np
import pytest

from passreid.datasets import IdentitySampler
from passreid.datasets.samplers.identity_sampler import (
    count_batches,
    draw_published,
    schedule_groups,
)


class Crops:
    """Images of ids that are numbered with gaps, in random order."""

    def __init__(self, counts, junk=0):
        pids = np.repeat(np.arange(len(counts)) * 3, counts)
        pids = np.concatenate([pids, np.full(junk, -1)])
        self.pids = np.random.default_rng(1).permutation(pids)

    def __len__(self):
        return len(self.pids)

    def __getitem__(self, index):
        return self.pids[index]


CROPS = {
    'plenty': Crops([9, 8, 8, 12, 10, 8, 11, 30, 8, 9]),
    'few images': Crops([1, 2, 3, 4, 5, 1, 2, 3, 4, 5]),
    'one giant': Crops([200, 4, 4, 4, 4, 4, 4, 4]),
    'with junk': Crops([5, 6, 7, 8, 9], junk=7),
}
all_crops = pytest.mark.parametrize('crops', CROPS.values(), ids=CROPS)


def of_rank(crops, rank, world_size, monkeypatch, batch_size=16, epoch=0, **kwargs):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    sampler = IdentitySampler(crops, batch_size, seed=3, **kwargs)
    sampler.set_epoch(epoch)
    return sampler


def batches(sampler):
    """Indices, (B, P, K)."""
    return np.array(list(sampler)).reshape(-1, sampler.ids_per_batch, sampler.images_per_id)


@all_crops
@pytest.mark.parametrize(('batch_size', 'images_per_id'), [(16, 4), (8, 4), (9, 3), (3, 1)])
@pytest.mark.parametrize('epoch', [0, 7])
@pytest.mark.parametrize('rule', ['all', 'published'])
def test_batches_are_p_ids_of_k_images(crops, batch_size, images_per_id, epoch, rule):
    sampler = IdentitySampler(crops, batch_size, images_per_id, seed=0, batches=rule)
    sampler.set_epoch(epoch)
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
    assert all((pids[:, :, 0] == pid).sum() <= 1 for pid in unique[counts < images_per_id])


def literal_length(groups, ids_per_batch, generator):
    """Count the batches of the published sampler: random ids until fewer than P have groups."""
    left, batches = list(groups), 0
    while sum(map(bool, left)) >= ids_per_batch:
        ids = [i for i, number in enumerate(left) if number]
        for i in generator.permutation(ids)[:ids_per_batch]:
            left[i] -= 1
        batches += 1
    return batches


@pytest.mark.parametrize(('world_size', 'batch_size'), [(1, 64), (2, 32)])
def test_published_number_of_batches(world_size, batch_size, monkeypatch):
    counts = 2 + np.random.default_rng(0).gamma(1, 8, 120).astype(int)
    crops = Crops(counts)
    generator = np.random.default_rng(9)
    groups = np.maximum(counts // 4, 1)
    expected = np.mean([literal_length(groups, 16, generator) for _ in range(200)])
    options = dict(batch_size=batch_size, batches='published')
    lengths = set()
    for epoch in range(12):
        for rank in range(world_size):
            sampler = of_rank(crops, rank, world_size, monkeypatch, epoch=epoch, **options)
            lengths.add((len(sampler), len(list(sampler))))
    ((length, drawn),) = lengths
    assert length == drawn
    assert abs(length // batch_size - expected) <= 1
    assert length // batch_size < count_batches(groups, 16)


def test_ids_with_few_images_are_drawn_with_replacement():
    crops = Crops([2, 1, 4, 4])
    drawn = []
    for epoch in range(40):
        sampler = IdentitySampler(crops, 16, seed=0)
        sampler.set_epoch(epoch)
        pids = crops.pids[list(sampler)]
        drawn.append(np.array(list(sampler))[pids == 0])
    assert {len(set(images.tolist())) for images in drawn} == {1, 2}
    # Copies are augmented differently.
    (single,) = [group for group in batches(sampler)[0] if (crops.pids[group] == 3).all()]
    copies = [index for index in sampler if index == single[0]]
    assert [getattr(index, 'visit', 0) for index in copies] == [0, 1, 2, 3]


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_two_processes_draw_what_one_draws(rule, monkeypatch):
    def drawn(rank, world_size):
        options = dict(batch_size=16 // world_size, batches=rule)
        return batches(of_rank(CROPS['plenty'], rank, world_size, monkeypatch, **options))

    one, two = drawn(0, 1), [drawn(rank, 2) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(two, axis=1), one)


@pytest.mark.parametrize('rank', [0, 1])
@pytest.mark.parametrize('rule', ['all', 'published'])
def test_resume_from_any_offset_is_the_tail(rank, rule, monkeypatch):
    options = dict(batch_size=8, epoch=2, batches=rule)
    sampler = of_rank(CROPS['few images'], rank, 2, monkeypatch, **options)
    order = [(index, getattr(index, 'visit', 0)) for index in sampler]
    for start in range(0, len(order) + 1, 4):
        sampler.set_start(start)
        assert [(index, getattr(index, 'visit', 0)) for index in sampler] == order[start:]
        assert len(sampler) == len(order)
    with pytest.raises(ValueError, match=f'between 0 and {len(order)}'):
        sampler.set_start(len(order) + 1)


def test_wrong_arguments():
    with pytest.raises(ValueError, match='holds 16 ids with 4 images each, but .* only 5 ids'):
        IdentitySampler(CROPS['with junk'], 64, seed=0)
    with pytest.raises(ValueError, match="'all' or 'published', .* 'most'"):
        IdentitySampler(CROPS['plenty'], 16, seed=0, batches='most')
    with pytest.raises(TypeError, match='range has no `pids`'):
        IdentitySampler(range(9), 8, seed=0)


@pytest.mark.parametrize(('batch_size', 'warned'), [(4, 1), (8, 0)])
def test_one_identity_in_a_batch_is_warned_of_once(batch_size, warned, log, monkeypatch):
    monkeypatch.setattr('passreid.utils.messages._shown', set())
    for _ in range(2):
        IdentitySampler(CROPS['plenty'], batch_size, seed=0)
    assert log().count(f'batch_size={batch_size}') == warned


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_size_of_msmt17_takes_no_time(rule):
    crops = Crops(np.random.default_rng(0).geometric(1 / 31, 1041))
    start = time.process_time()
    sampler = IdentitySampler(crops, 64, seed=0, batches=rule)
    assert time.process_time() - start < 2
    start = time.process_time()
    assert sum(1 for _ in sampler) == len(sampler) > 25_000
    assert time.process_time() - start < 0.5


GROUPS = {
    'equal': [3] * 12,
    'one giant': [100, 1, 1, 1, 1, 1, 1, 1],
    'two giants': [40, 40, 3, 3, 2, 2, 2, 2, 1, 1, 1],
    'long tail': list(range(1, 30)),
    'random': np.random.default_rng(0).geometric(0.2, 50).tolist(),
}
cases = pytest.mark.parametrize(
    ('groups', 'ids_per_batch'),
    [pytest.param(np.array(g), p, id=f'{n}-{p}') for n, g in GROUPS.items() for p in (1, 2, 3, 4)],
)


def draw_greedily(groups, ids_per_batch):
    """Count batches, each of the ids with the most groups left: what no other way exceeds."""
    left, batches = np.sort(groups)[::-1], 0
    while left[ids_per_batch - 1]:
        left[:ids_per_batch] -= 1
        left = np.sort(left)[::-1]
        batches += 1
    return batches


@cases
def test_count_is_the_most_that_can_be_filled(groups, ids_per_batch):
    assert count_batches(groups, ids_per_batch) == draw_greedily(groups, ids_per_batch)


@cases
@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('draw', [schedule_groups, draw_published])
def test_schedule(groups, ids_per_batch, seed, draw):
    schedule = draw(groups, ids_per_batch, np.random.default_rng(seed))
    assert schedule.shape[1] == ids_per_batch
    most = count_batches(groups, ids_per_batch)
    assert len(schedule) == most if draw is schedule_groups else 0 < len(schedule) <= most
    # No group twice, no id twice in a batch.
    assert len(np.unique(schedule)) == schedule.size
    owners = np.repeat(np.arange(len(groups)), groups)[schedule]
    assert all(len(set(batch)) == ids_per_batch for batch in owners.tolist())
    # It ends when fewer than P ids have groups left.
    left = groups - np.bincount(owners.ravel(), minlength=len(groups))
    assert (left > 0).sum() < ids_per_batch
    assert left.min() >= 0
