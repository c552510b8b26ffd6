"""An orderly end of training on SIGTERM."""

import os
import signal
import threading
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS

from ..loops import can_resume_at
from .safe_checkpoint_hook import SafeCheckpointHook, is_within_step


class Preempted(SystemExit):
    """The end of a training that received SIGTERM, with its exit status, 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save a checkpoint and exit when the process receives SIGTERM, as schedulers send it.

    After the current optimizer step all processes save one checkpoint, from which
    ``resume='auto'`` goes on within the epoch, and raise :class:`Preempted`. It is enough that one
    of them received the signal. During a validation or a clustering it takes effect after the next
    iteration. A training in a side thread cannot listen.

    Args:
        interval (int): Iterations after which several processes ask each other. Defaults to 10.
    """

    # After everything else that belongs to an iteration, the regular checkpoint included.
    priority = 'LOWEST'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._former: Any = None

    def before_train(self, runner: Runner) -> None:
        """Begin to listen."""
        self._received = self._agreed = False
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._receive) or signal.SIG_DFL

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save and exit, if any process received the signal.

        Raises:
            Preempted: Then.
        """
        if get_world_size() == 1:
            self._agreed = self._received
        elif self.every_n_train_iters(runner, self.interval):
            flag = torch.tensor(float(self._received or self._agreed))
            all_reduce(flag, 'max')
            self._agreed = bool(flag)
        if not self._agreed or is_within_step(runner):
            return
        iteration = runner.iter + 1
        outcome = 'Nothing was saved: that takes SafeCheckpointHook and ResumableEpochLoop'
        for hook in runner.hooks:
            if isinstance(hook, SafeCheckpointHook) and can_resume_at(runner, iteration):
                hook.save_preempted(runner, iteration)
                outcome = f'Saved {hook.last_ckpt}'
        runner.logger.warning(
            f'Received SIGTERM: training ends after iteration {iteration}. {outcome}. The same '
            'command with --resume goes on.'
        )
        raise Preempted

    def after_train_or_failure(self, runner: Runner) -> None:
        """Restore the former handler of the signal; :class:`SafeRunner` calls this."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
            self._former = None

    def _receive(self, *_) -> None:
        if os.getpid() == self._process:
            self._received = True
        else:  # A process that this one has forked, as a pool does, ends as it would without.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
