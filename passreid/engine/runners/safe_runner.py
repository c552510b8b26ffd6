"""The runner of every run of this package."""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.dist import all_reduce_params, broadcast_object_list
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.utils.data import DataLoader

from passreid.registry import RUNNERS, TASK_UTILS
from passreid.utils.atomic_file import NotSavedError, read_last_checkpoint
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.distributed import unwrap_model

from ..atomic_checkpoints import atomic_checkpoints, restore_histories
from .resume_check import check_resume


@RUNNERS.register_module()
class SafeRunner(Runner):
    """A Runner that loses nothing, and says what went wrong in words that help to mend it.

    - A checkpoint is there as a whole or not at all, and holds plain values only.
    - All processes resume from what the first one chose, if it fits (:func:`check_resume`).
    - Workers of data loaders end with their process, and not by a signal to the whole job, after
      which that process saves and ends.

    Args:
        *args: Of :class:`mmengine.runner.Runner`.
        **kwargs: The same.
    """

    # mmengine's, which names no types.
    _resume: bool
    _load_from: str | None

    def train(self) -> nn.Module:
        """Train; see :meth:`mmengine.runner.Runner.train`."""
        try:
            return super().train()
        finally:
            self.call_hook('after_train_or_failure')

    def save_checkpoint(self, *args, **kwargs) -> None:
        """Save a checkpoint; see mmengine. All processes must call this, the first one writes.

        Raises:
            NotSavedError: When a local file cannot be written; those before are as they were.
        """
        self.call_hook('before_save_checkpoint_in_all')
        # Otherwise the statistics of the first process would be those of a resumed run.
        statistics = [v for name, v in self.model.named_buffers() if '.running_' in name]
        if statistics:
            all_reduce_params(statistics, op='mean')
        try:
            with atomic_checkpoints():
                super().save_checkpoint(*args, **kwargs)
        except NotSavedError as error:
            raise NotSavedError(error.errno, f'{error.strerror} {self._last_good()}') from error

    def load_or_resume(self) -> None:
        """Load what the first process chose to load or resume from; see mmengine."""
        choice: list[Any] = [self._resume, self._load_from]
        broadcast_object_list(choice)
        self._resume, self._load_from = choice
        super().load_or_resume()

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Resume a run; see :meth:`mmengine.runner.Runner.resume`.

        Raises:
            ValueError: When the checkpoint cannot be resumed, see :func:`check_resume`; the run is
                as it was.
        """
        # Without the values of the tensors, so that nothing is read twice.
        content = CheckpointLoader.load_checkpoint(filename, map_location='meta', logger='silent')
        warning = check_resume(self, filename, content, resume_optimizer, resume_param_scheduler)
        if warning is not None:
            self.logger.warning(warning)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """Load a checkpoint of whatever kind into the model, and log what it got.

        Args:
            filename (str): A file, or an address.
            *args: Of :meth:`mmengine.runner.Runner.load_checkpoint`; not used.
            **kwargs: The same.

        Returns:
            dict: The content of the file, on the CPU.

        Raises:
            RuntimeError: When less than three quarters of the backbone were loaded.
            ValueError: When its weights cannot be those of the model; names the file.
        """
        checkpoint = dict(read_checkpoint(filename))
        # mmengine would run the config that a file brings along.
        if isinstance(meta := checkpoint.get('meta'), dict):
            meta.pop('config', None)
        restore_histories(checkpoint)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = unwrap_model(self.model)
        report = TASK_UTILS.get('fill_model')(model, checkpoint, filename)
        report.check(0.75 if hasattr(model, 'backbone') else 0.0)
        level = logging.INFO if report.clean else logging.WARNING
        self.logger.log(level, report.table())
        return checkpoint

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader with workers that are watched over; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        return loader

    def _last_good(self) -> str:
        named = read_last_checkpoint(self.work_dir)
        if named and Path(named).is_file():
            return f'The last good checkpoint is {named}: make room and go on with --resume.'
        return 'There is no checkpoint before it.'


def _start_worker(init: Callable[[int], None] | None, worker_id: int) -> None:
    """Begin a worker of a data loader; it must outlive a signal to its process, but not that."""
    if hasattr(os, 'setpgid'):
        # Shells and schedulers signal the whole group of the process, which still needs batches.
        os.setpgid(0, 0)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if init is not None:
        init(worker_id)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, which torch misses while a batch waits."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
