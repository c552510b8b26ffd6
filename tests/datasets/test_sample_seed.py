import copy
import pickle
import random

import numpy as np
import pytest
import torch
from torch import multiprocessing

from passreid.datasets.sample_seed import SampleSeed, seeded


def draw():
    return np.random.rand(), np.random.randint(1 << 30), random.random(), torch.rand(1).item()


def test_numbers_depend_on_the_key_alone():
    with seeded(1, 2, 3):
        first = draw()
    draw()
    with seeded(1, 2, 3):
        assert draw() == first


@pytest.mark.parametrize('other', [(0, 2, 3), (1, 0, 3), (1, 2, 0), (3, 2, 1)])
def test_every_part_of_the_key_counts(other):
    with seeded(1, 2, 3):
        first = draw()
    with seeded(*other):
        assert all(a != b for a, b in zip(first, draw(), strict=True))


def test_neighbouring_samples_are_independent():
    values = []
    for idx in range(2000):
        with seeded(0, 0, idx):
            values.append(np.random.rand())
    assert abs(np.mean(values) - 0.5) < 0.03
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.08


@pytest.mark.parametrize('fails', [False, True])
def test_outer_states_are_restored(fails):
    np.random.seed(5)
    random.seed(5)
    torch.manual_seed(5)
    expected = [draw(), draw()]
    np.random.seed(5)
    random.seed(5)
    torch.manual_seed(5)
    got = [draw()]
    try:
        with seeded(7):
            draw()
            np.random.seed(1)
            if fails:
                raise KeyError
    except KeyError:
        pass
    got.append(draw())
    assert got == expected


def test_nested_seeds_do_not_disturb_the_outer_one():
    with seeded(1):
        expected = [draw(), draw()]
    with seeded(1):
        got = [draw()]
        with seeded(2):
            draw()
        got.append(draw())
    assert got == expected


def test_gpu_generators_are_left_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', lambda seed: pytest.fail('seeded a GPU'))
    with seeded(1):
        torch.rand(1)


@pytest.mark.parametrize('method', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_processes_share_it(method):
    sample_seed = SampleSeed(1)
    context = multiprocessing.get_context(method)
    child = context.Process(target=setattr, args=(sample_seed, 'epoch', 4))
    child.start()
    child.join(60)
    assert (child.exitcode, sample_seed.epoch) == (0, 4)


def test_of_sample_is_seed_epoch_index():
    sample_seed = SampleSeed(8, 9)
    with sample_seed.of_sample(10):
        got = draw()
    with seeded(8, 9, 10):
        assert draw() == got


def test_later_visits_of_a_sample_differ():
    drawn = []
    for visit in (0, 1, 2):
        with SampleSeed(8, 9).of_sample(10, visit):
            drawn.append(draw())
    with SampleSeed(8, 9).of_sample(10):
        assert draw() == drawn[0]
    assert len(set(drawn)) == 3


def test_a_copy_has_a_life_of_its_own():
    original = SampleSeed(1, 2)
    twin = copy.deepcopy(original)
    twin.epoch = 3
    assert (twin.seed, twin.epoch, original.epoch) == (1, 3, 2)
    assert twin._state.is_shared()
    assert pickle.loads(pickle.dumps(original)).epoch == 2


@pytest.mark.parametrize('name', ['seed', 'epoch'])
def test_negative_values_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} must not be negative, but is -1'):
        setattr(SampleSeed(), name, -1)
