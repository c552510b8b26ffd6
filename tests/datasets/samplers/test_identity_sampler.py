import time

import numpy as np
import pytest
from torch.utils.data import DataLoader

from passreid.datasets import IdentitySampler
from passreid.datasets.repeated_index import visit_of
from passreid.datasets.samplers.identity_schedule import count_batches
from passreid.registry import DATA_SAMPLERS


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


@all_crops
def test_epoch_ends_when_fewer_than_p_ids_are_left(crops):
    sampler = IdentitySampler(crops, 16, seed=0)
    unique, counts = np.unique(crops.pids[crops.pids >= 0], return_counts=True)
    groups = np.maximum(counts // 4, 1)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        pids = crops.pids[batches(sampler)][:, :, 0]
        used = (pids.reshape(-1, 1) == unique).sum(0)
        assert (groups > used).sum() < 4
    assert len(sampler) == 16 * count_batches(groups, 4)


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


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_length_is_that_of_the_data_loader_in_every_epoch(rule):
    sampler = IdentitySampler(CROPS['plenty'], 16, seed=0, batches=rule)
    loader = DataLoader(CROPS['plenty'], batch_size=16, sampler=sampler)
    for epoch in range(5):
        sampler.set_epoch(epoch)
        assert [len(batch) for batch in loader] == [16] * len(loader)


def test_leftovers_change_between_epochs():
    crops = Crops([7] * 8)
    seen = set()
    sampler = IdentitySampler(crops, 16, seed=0)
    for epoch in range(10):
        sampler.set_epoch(epoch)
        indices = batches(sampler).ravel().tolist()
        assert len(indices) == len(set(indices)) == 32
        seen.update(indices)
    assert seen == set(range(56))


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
    assert [visit_of(index) for index in copies] == [0, 1, 2, 3]


@all_crops
def test_seed_and_epoch_determine_the_order(crops):
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        sampler = IdentitySampler(crops, 16, seed=seed)
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    assert orders[0] == orders[3] == list(sampler)
    assert orders[0] != orders[1] != orders[2] != orders[0]


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_a_step_of_different_ids(world_size, monkeypatch):
    crops = CROPS['plenty']
    samplers = [
        of_rank(crops, rank, world_size, monkeypatch, batch_size=12) for rank in range(world_size)
    ]
    assert len({len(sampler) for sampler in samplers}) == 1
    steps = np.concatenate([batches(sampler) for sampler in samplers], axis=1)
    assert steps.shape[1:] == (3 * world_size, 4)
    assert len(np.unique(steps)) == steps.size
    ids = crops.pids[steps][:, :, 0].tolist()
    assert all(len(set(step)) == 3 * world_size for step in ids)


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_two_processes_draw_what_one_draws(rule, monkeypatch):
    def drawn(rank, world_size):
        options = dict(batch_size=16 // world_size, batches=rule)
        return batches(of_rank(CROPS['plenty'], rank, world_size, monkeypatch, **options))

    one, two = drawn(0, 1), [drawn(rank, 2) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(two, axis=1), one)


def test_more_ranks_than_ids_for_them(monkeypatch):
    crops = CROPS['with junk']
    ranks = [batches(of_rank(crops, rank, 3, monkeypatch, batch_size=8)) for rank in range(3)]
    assert len({indices.shape for indices in ranks}) == 1
    everything = np.concatenate(ranks)
    assert len(np.unique(everything)) == everything.size
    for indices in ranks:
        assert all(len(set(ids)) == 2 for ids in crops.pids[indices][:, :, 0].tolist())


@pytest.mark.parametrize('rank', [0, 1])
@pytest.mark.parametrize('rule', ['all', 'published'])
def test_resume_from_any_offset_is_the_tail(rank, rule, monkeypatch):
    options = dict(batch_size=8, epoch=2, batches=rule)
    sampler = of_rank(CROPS['few images'], rank, 2, monkeypatch, **options)
    order = [(index, visit_of(index)) for index in sampler]
    for start in range(0, len(order) + 1, 4):
        sampler.set_start(start)
        assert [(index, visit_of(index)) for index in sampler] == order[start:]
        assert len(sampler) == len(order)
    with pytest.raises(ValueError, match=f'between 0 and {len(order)}'):
        sampler.set_start(len(order) + 1)


def test_too_few_ids():
    with pytest.raises(ValueError, match='holds 16 ids with 4 images each, but .* only 5 ids'):
        IdentitySampler(CROPS['with junk'], 64, seed=0)


@pytest.mark.parametrize(('batch_size', 'warned'), [(4, 1), (8, 0)])
def test_one_identity_in_a_batch_is_warned_of_once(batch_size, warned, log, monkeypatch):
    monkeypatch.setattr('passreid.utils.log_once._shown', set())
    for _ in range(2):
        IdentitySampler(CROPS['plenty'], batch_size, seed=0)
    assert log().count(f'batch_size={batch_size}') == warned


def test_unknown_rule():
    with pytest.raises(ValueError, match="'all' or 'published', .* 'most'"):
        IdentitySampler(CROPS['plenty'], 16, seed=0, batches='most')


def test_data_set_without_pids():
    with pytest.raises(TypeError, match='range has no `pids`'):
        IdentitySampler(range(9), 8, seed=0)


@pytest.mark.parametrize('rule', ['all', 'published'])
def test_size_of_msmt17_takes_no_time(rule):
    crops = Crops(np.random.default_rng(0).geometric(1 / 31, 1041))
    start = time.process_time()
    sampler = IdentitySampler(crops, 64, seed=0, batches=rule)
    assert time.process_time() - start < 2
    start = time.process_time()
    assert sum(1 for _ in sampler) == len(sampler) > 25_000
    assert time.process_time() - start < 0.5


def test_config_as_mmengine_builds_it():
    config = {'type': 'IdentitySampler', 'images_per_id': 2, 'batch_size': 4}
    defaults = {'dataset': CROPS['plenty'], 'seed': 5}
    sampler = DATA_SAMPLERS.build(config, default_args=defaults)
    assert isinstance(sampler, IdentitySampler)
    assert (sampler.ids_per_batch, sampler.seed) == (2, 5)
