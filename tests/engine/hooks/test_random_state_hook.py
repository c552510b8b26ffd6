from types import SimpleNamespace

from torch.utils.data import ConcatDataset

from passreid.engine import RandomStateHook


class Dataset:
    """Remembers what it is told; a data set and a sampler in one."""

    def set_seed(self, seed):
        self.seed = seed

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 1


def test_sampler_and_wrapped_data_sets_hear_of_seed_and_epoch():
    """What follows from it is in ``test_runs.py``."""
    parts = [Dataset(), Dataset()]
    loader = SimpleNamespace(dataset=ConcatDataset(parts), sampler=Dataset())
    runner = SimpleNamespace(seed=5, epoch=2, train_dataloader=loader)
    RandomStateHook().before_train_epoch(runner)
    assert [(part.seed, part.epoch) for part in parts] == [(5, 2), (5, 2)]
    assert loader.sampler.epoch == 2
