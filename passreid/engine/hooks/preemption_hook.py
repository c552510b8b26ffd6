"""An orderly end when the machine is wanted for something else."""

import os
import signal
import sys
import threading
import time
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.agreed_flag import AgreedFlag
from passreid.utils.lost_peers import note_told_to_end

from ..runners.resumable_epoch_loop import can_resume_at
from .safe_checkpoint_hook import SafeCheckpointHook, is_within_step


class Preempted(SystemExit):
    """The end of a training that was told to end, with the exit status of SIGTERM, 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save a checkpoint and end when the process is sent SIGTERM, as schedulers do.

    After the current step of the optimiser (iteration, or ``accumulative_counts`` of them) all
    processes save one checkpoint, from which ``resume='auto'`` goes on within the epoch, and raise
    :class:`Preempted`. It is enough that one of them got the signal: all stop after the same
    iteration, with several processes the one after.

    During a validation the signal takes effect at its end, during clustering after the first
    iteration of the epoch, and during the last validation not at all, since training is over.
    A second SIGTERM ends the process at once, unless it follows the first within ``patience``:
    torchrun under Slurm sends the same one twice.

    Args:
        patience (float): Seconds in which further SIGTERMs count as the first. Defaults to 10.
    """

    # After everything else that belongs to an iteration, the regular checkpoint included.
    priority = 'LOWEST'

    def __init__(self, patience: float = 10.0) -> None:
        self.patience = patience
        self._flag = AgreedFlag()
        self._first: float | None = None
        self._told = self._listening = False

    def before_train(self, runner: Runner) -> None:
        """Begin to listen.

        Args:
            runner (Runner): The runner.
        """
        self._flag, self._first = AgreedFlag(), None
        self._told, self._listening = False, True
        self._former: Any = None
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._note) or signal.SIG_DFL
        else:
            runner.logger.warning('SIGTERM will not be heard: training runs in a side thread.')

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save and end, if any process was told to.

        Args:
            runner (Runner): The runner.
            *args: Not used.
            **kwargs: Not used.

        Raises:
            Preempted: Then.
        """
        self._told = self._told or self._flag.exchange()
        if self._told and not is_within_step(runner):
            self._leave(runner, runner.iter + 1)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Do the same between epochs, which may begin with minutes of clustering.

        Args:
            runner (Runner): The runner.
            metrics (dict[str, float], optional): Figures of the validation.

        Raises:
            Preempted: Then.
        """
        if not (self._listening and 0 < runner.epoch < runner.max_epochs):
            return
        self._told = self._told or self._flag.agree()
        if self._told and not is_within_step(runner):
            self._leave(runner, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Wait for the last answer of the other processes.

        Args:
            runner (Runner): The runner.
        """
        self._flag.settle()

    def after_train_or_failure(self, runner: Runner) -> None:
        """Give the signal back to who handled it before; :class:`SafeRunner` calls this.

        Args:
            runner (Runner): The runner.
        """
        if self._listening and self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
        if self._first is not None:
            note_told_to_end(sys.exc_info()[1])
        self._listening = False

    def _note(self, *_) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._flag.raised = now, True
        elif now - self._first > self.patience:
            signal.signal(signal.SIGTERM, self._former)
            os.kill(os.getpid(), signal.SIGTERM)

    def _leave(self, runner: Runner, iteration: int) -> None:
        hook = next((one for one in runner.hooks if isinstance(one, SafeCheckpointHook)), None)
        if hook is None:
            outcome = 'Nothing was saved, since there is no SafeCheckpointHook'
        elif not can_resume_at(runner, iteration):
            outcome = 'Nothing was saved, since only ResumableEpochLoop resumes within an epoch'
        else:
            hook.save_preempted(runner, iteration)
            outcome = f'Saved {hook.last_ckpt}'
        runner.logger.warning(
            f'Told to end (SIGTERM) after iteration {iteration}. {outcome}. The same command with '
            '--resume goes on.'
        )
        raise Preempted
