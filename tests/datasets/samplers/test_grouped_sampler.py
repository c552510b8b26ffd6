import numpy as np
import pytest

from passreid.datasets.repeated_index import visit_of
from passreid.datasets.samplers.grouped_sampler import GroupedSampler, count_visits, read_column


class Fixed(GroupedSampler):
    """Three steps of batches of four."""

    order = (5, 5, 1, 2, 5, 0, 0, 3, 1, 1, 1, 1)

    def __init__(self, **kwargs):
        super().__init__(range(6), batch_size=4, images_per_id=2, seed=0, **kwargs)
        self.num_samples = 12

    def draw_epoch(self, generator):
        return np.array(self.order).reshape(3, 1, 4)


def test_copies_know_their_number():
    indices = list(Fixed())
    assert indices == list(Fixed.order)
    assert [visit_of(index) for index in indices] == [0, 1, 0, 0, 2, 0, 1, 0, 1, 2, 3, 4]
    assert all(type(index) is int for index in indices if not visit_of(index))


def test_a_resumed_epoch_has_the_same_copies():
    whole = [(index, visit_of(index)) for index in Fixed()]
    for start in range(13):
        sampler = Fixed()
        sampler.set_start(start)
        assert [(index, visit_of(index)) for index in sampler] == whole[start:]


def test_generator_depends_on_seed_and_epoch(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Fixed, 'draw_epoch', lambda self, g: drawn.append(g.random()) or np.zeros((3, 1, 4), int)
    )
    for epoch in (0, 1, 0):
        sampler = Fixed()
        sampler.set_epoch(epoch)
        list(sampler)
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize(('batch_size', 'images_per_id'), [(10, 4), (0, 4), (-4, 4), (8, 0)])
def test_batch_size_must_be_a_multiple(batch_size, images_per_id):
    with pytest.raises(ValueError, match='no multiple of'):
        GroupedSampler(range(9), batch_size, images_per_id, seed=0)


def test_missing_batch_size_says_who_knows_it():
    with pytest.raises(ValueError, match='GroupedSampler needs the batch_size of its data loader'):
        GroupedSampler(range(9), None, 4, seed=0)


def test_columns():
    class Crops(list):
        pids = (3, 4)

    assert read_column(Crops('ab'), 'pids').tolist() == [3, 4]
    with pytest.raises(TypeError, match='Crops has no `cam_ids` to draw identities by'):
        read_column(Crops('ab'), 'cam_ids')
    with pytest.raises(ValueError, match='3 samples, but 2 entries in `pids`'):
        read_column(Crops('abc'), 'pids')


def test_visits():
    indices = np.random.default_rng(0).integers(0, 7, 50)
    expected = [indices[:place].tolist().count(index) for place, index in enumerate(indices)]
    assert count_visits(indices).tolist() == expected
    assert count_visits(np.array([], int)).tolist() == []
