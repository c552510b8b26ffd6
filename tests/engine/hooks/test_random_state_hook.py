from types import SimpleNamespace

import torch
from torch.utils.data import ConcatDataset

from passreid.engine import RandomStateHook


class Dataset:
    def set_seed(self, seed):
        self.seed = seed

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 1


def runner_at(iteration, dataset=None, seed=5):
    loader = SimpleNamespace(dataset=dataset, sampler=Dataset())
    return SimpleNamespace(seed=seed, iter=iteration, epoch=2, train_dataloader=loader)


def draw(iteration, seed=5):
    RandomStateHook().before_train_iter(runner_at(iteration, seed=seed), 0)
    return torch.rand(3)


def test_numbers_depend_on_seed_and_iteration_alone():
    first = draw(7)
    torch.rand(11)
    assert torch.equal(draw(7), first)
    assert not torch.equal(draw(8), first)
    assert not torch.equal(draw(7, seed=6), first)


def test_sampler_and_wrapped_data_sets_hear_of_seed_and_epoch():
    parts = [Dataset(), Dataset()]
    runner = runner_at(0, ConcatDataset(parts))
    RandomStateHook().before_train_epoch(runner)
    assert [(part.seed, part.epoch) for part in parts] == [(5, 2), (5, 2)]
    assert runner.train_dataloader.sampler.epoch == 2
