import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

from passreid.datasets import ResumableSampler
from passreid.datasets.samplers.resumable_sampler import GroupedSampler, read_column


def of_rank(sampler_type, size, rank, world_size, monkeypatch, **kwargs):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, world_size))
    return sampler_type(range(size), seed=3, **kwargs)


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize(('size', 'world_size'), [(23, 1), (23, 4), (3, 8)])
def test_order_is_that_of_default_sampler(size, world_size, shuffle, round_up, monkeypatch):
    for rank in range(world_size):
        kwargs = {'shuffle': shuffle, 'round_up': round_up}
        ours = of_rank(ResumableSampler, size, rank, world_size, monkeypatch, **kwargs)
        default = of_rank(DefaultSampler, size, rank, world_size, monkeypatch, **kwargs)
        for epoch in (0, 5):
            ours.set_epoch(epoch)
            default.set_epoch(epoch)
            assert list(ours) == list(default)
        assert len(ours) == len(default)


@pytest.mark.parametrize('rank', [0, 2])
def test_resume_from_any_offset_is_the_tail(rank, monkeypatch):
    sampler = of_rank(ResumableSampler, 23, rank, 3, monkeypatch)
    sampler.set_epoch(2)
    order = list(sampler)
    for start in range(len(order) + 1):
        sampler.set_start(start)
        assert list(sampler) == order[start:]
        assert len(sampler) == len(order)


@pytest.mark.parametrize(('before', 'after'), [(4, 1), (1, 3)])
def test_resume_with_another_number_of_ranks_sees_the_rest(before, after, monkeypatch):
    """A step of as many images in all: batches of 3 on 4 ranks, of 12 on one, and so on."""
    seen = []
    for world_size, steps in ((before, slice(0, 3)), (after, slice(3, None))):
        for rank in range(world_size):
            sampler = of_rank(ResumableSampler, 96, rank, world_size, monkeypatch)
            own = 12 // world_size
            sampler.set_start(own * (steps.start or 0))
            stop = None if steps.stop is None else own * steps.stop
            seen += list(sampler)[:stop]
    assert sorted(seen) == list(range(96))


class Fixed(GroupedSampler):
    """Three steps of batches of four."""

    order = (5, 5, 1, 2, 5, 0, 0, 3, 1, 1, 1, 1)

    def draw_epoch(self, generator):
        return np.array(self.order).reshape(3, 1, 4)


def test_copies_know_their_number():
    sampler = Fixed(range(6), batch_size=4, images_per_id=2, seed=0)
    repeats = [0, 1, 0, 0, 2, 0, 1, 0, 1, 2, 3, 4]
    assert [(int(index), getattr(index, 'repeat', 0)) for index in sampler] == [
        *zip(Fixed.order, repeats, strict=True)
    ]


@pytest.mark.parametrize('batch_size', [10, 0, None])
def test_batch_size_must_be_a_multiple(batch_size):
    with pytest.raises(ValueError, match=f'batch_size={batch_size} of GroupedSampler'):
        GroupedSampler(range(9), batch_size, 4, seed=0)
    with pytest.raises(TypeError, match='range has no `cam_ids`'):
        read_column(range(9), 'cam_ids')
