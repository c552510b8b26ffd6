import numpy as np
import pytest

from passreid.datasets.samplers.resumable_sampler import (
    GroupedSampler,
    read_column,
)


def with_repeats(sampler):
    return [(int(index), getattr(index, 'repeat', 0)) for index in sampler]


class Fixed(GroupedSampler):
    """Three steps of batches of four."""

    order = (5, 5, 1, 2, 5, 0, 0, 3, 1, 1, 1, 1)

    def __init__(self, **kwargs):
        super().__init__(range(6), batch_size=4, images_per_id=2, seed=0, **kwargs)
        self.num_samples = 12

    def draw_epoch(self, generator):
        return np.array(self.order).reshape(3, 1, 4)


def test_copies_know_their_number():
    repeats = (0, 1, 0, 0, 2, 0, 1, 0, 1, 2, 3, 4)
    assert with_repeats(Fixed()) == list(zip(Fixed.order, repeats, strict=True))


@pytest.mark.parametrize(('batch_size', 'images_per_id'), [(10, 4), (0, 4), (None, 4)])
def test_batch_size_must_be_a_multiple(batch_size, images_per_id):
    with pytest.raises(ValueError, match=f'batch_size={batch_size} of GroupedSampler'):
        GroupedSampler(range(9), batch_size, images_per_id, seed=0)


def test_columns():
    class Crops(list):
        pids = (3, 4)

    assert read_column(Crops('ab'), 'pids').tolist() == [3, 4]
    with pytest.raises(TypeError, match='Crops has no `cam_ids` to draw identities by'):
        read_column(Crops('ab'), 'cam_ids')
    with pytest.raises(ValueError, match='3 samples, but 2 entries in `pids`'):
        read_column(Crops('abc'), 'pids')
