"""Training by epochs that can begin inside an epoch."""

from mmengine.runner import EpochBasedTrainLoop, Runner

from passreid.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Epoch loop that goes on where a checkpoint was written, also within an epoch.

    mmengine's loop starts the interrupted epoch anew. Here the sampler is told
    how many samples to leave out (``set_start``), so no image is loaded in
    vain, seen twice or missed. The number of processes and of images on each
    may change if their product stays.

    Args:
        *args: Of :class:`mmengine.runner.EpochBasedTrainLoop`.
        **kwargs: The same.
    """

    def run_epoch(self) -> None:
        """Run the rest of the current epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iter - self._epoch * len(self.dataloader)
        if done:
            self._skip(done)
        for index, batch in enumerate(self.dataloader, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _skip(self, num_batches: int) -> None:
        sampler = self.dataloader.sampler
        if not hasattr(sampler, 'set_start'):
            raise TypeError(
                f'The checkpoint was written {num_batches} iterations into an epoch, but '
                f'{type(sampler).__name__} cannot start there: use ResumableSampler'
            )
        # The last batch of an epoch may be a smaller one.
        sampler.set_start(min(num_batches * self.dataloader.batch_size, len(sampler)))


def can_resume_at(runner: Runner, iteration: int) -> bool:
    """Return whether the training loop of a runner can begin after so many iterations.

    Args:
        runner (Runner): The runner.
        iteration (int): Number of iterations that are done.
    """
    loop = runner.train_loop
    if isinstance(loop, ResumableEpochLoop) and hasattr(loop.dataloader.sampler, 'set_start'):
        return True
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    return not by_epoch or iteration == runner.epoch * len(loop.dataloader)
