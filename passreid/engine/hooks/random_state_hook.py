"""Random numbers that do not depend on when a run was interrupted."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Derive all random numbers of training from seed, rank and iteration.

    Data sets get the seed and the epoch, samplers the epoch; torch's generators are seeded anew
    before each iteration. A resumed run therefore equals an uninterrupted one.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the data set seed and epoch, and the sampler the epoch."""
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(runner.epoch)
        for dataset in _innermost(runner.train_dataloader.dataset):
            if hasattr(dataset, 'set_epoch'):
                dataset.set_seed(runner.seed)
                dataset.set_epoch(runner.epoch)

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Seed torch's generators for this rank and iteration."""
        entropy = (runner.seed, get_rank(), runner.iter)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def _innermost(dataset: Any) -> Iterator[Any]:
    """Data sets inside wrappers such as ``ConcatDataset`` and ``RepeatDataset``."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner[0] is None:
        yield dataset
        return
    for part in inner:
        yield from _innermost(part)
