"""Loops of training and testing."""

import copy
from collections.abc import Sequence
from typing import Any

from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner, TestLoop

from passreid.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Epoch loop that goes on where a checkpoint was written, also within an epoch.

    The sampler leaves out the samples that were seen (``set_start``). The number of processes and
    of images on each may change if their product stays.
    """

    def run_epoch(self) -> None:
        """Run the rest of the current epoch."""
        self.runner.call_hook('before_train_epoch')
        if self.stop_training:
            return
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        if done:
            sampler = self.dataloader.sampler
            if not hasattr(sampler, 'set_start'):
                raise TypeError(
                    f'{type(sampler).__name__} cannot start within an epoch: use ResumableSampler'
                )
            # The last batch of an epoch may be a smaller one.
            sampler.set_start(min(done * self.dataloader.batch_size, len(sampler)))
        for index, batch in enumerate(self.dataloader, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


def can_resume_at(runner: Runner, iteration: int) -> bool:
    """Return whether the training loop of a runner can begin after so many iterations."""
    loop = runner.train_loop
    if isinstance(loop, ResumableEpochLoop) and hasattr(loop.dataloader.sampler, 'set_start'):
        return True
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    return not by_epoch or iteration == runner.epoch * len(loop.dataloader)


@LOOPS.register_module()
class MultiTestLoop(BaseLoop):
    """Test one model on several sets with an evaluator for each, or one config for all.

    Figures carry the name of their set in front: ``msmt17/reid/mAP``.
    """

    def __init__(
        self, runner: Runner, dataloader: Sequence, evaluator: Any, names: Sequence[str], **kwargs
    ) -> None:
        if not isinstance(evaluator, list | tuple):
            evaluator = [copy.deepcopy(evaluator) for _ in dataloader]
        if not len(set(names)) == len(names) == len(dataloader) == len(evaluator):
            raise ValueError(
                f'{len(dataloader)} data loaders in test_dataloader, {len(evaluator)} evaluators '
                f'and the names {list(names)}: there must be one of each for each test set'
            )
        self.loops = {
            name: TestLoop(runner, loader, one, **kwargs)
            for name, loader, one in zip(names, dataloader, evaluator, strict=True)
        }
        for name, loop in self.loops.items():
            for metric in loop.evaluator.metrics:
                metric.prefix = '/'.join(filter(None, (name, metric.prefix)))
        super().__init__(runner, next(iter(self.loops.values())).dataloader)

    def run(self) -> dict[str, float]:
        """Test on every set and return the figures of all."""
        figures: dict[str, float] = {}
        for name, loop in self.loops.items():
            self.runner.logger.info(f'Test set {name}')
            # The log counts the batches of this loader.
            self.dataloader = loop.dataloader
            figures.update(loop.run())
        return figures
