"""Checkpoints of which the last good one is never given up, also on SIGTERM."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.atomic_file import PARTIAL, atomic_file

from ..loops import can_resume_at

# What a run that was told to end wrote last. One name, so that there is never more than one.
_PREEMPTED = 'preempted.pth'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """:class:`mmengine.hooks.CheckpointHook` that survives a kill or a full disk at any moment.

    The oldest checkpoint goes when the new one and ``last_checkpoint`` stand. One that is due while
    gradients are accumulated is written after the step of the optimizer.
    """

    _is_due = False

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder and remove the halves of files that a killed run left."""
        super().before_train(runner)
        if is_main_process():
            for folder in {runner.work_dir, self.out_dir}:
                for path in Path(folder).glob(f'*{PARTIAL}'):
                    path.unlink()
                    runner.logger.warning(f'Removed {path}, which a killed run left half-written.')

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save a checkpoint that is due, or that was due within the step; see mmengine."""
        super().after_train_iter(runner, *args, **kwargs)
        if self._is_due and runner.optim_wrapper.should_update():
            done = runner.iter + 1
            step = runner.epoch if self.by_epoch else done
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=done))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        # Gradients that the optimizer has not used yet are in no checkpoint.
        steps = runner.optim_wrapper.should_update()
        self._is_due = not steps and can_resume_at(runner, meta['iter'] + 1)
        if self._is_due:
            return
        outdated = [_PREEMPTED]
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            # Should the run be killed before the oldest goes, it goes when the next one starts.
            runner.message_hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids, step])
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)
        self.save(runner, self.filename_tmpl.format(step), meta)
        for name in outdated:
            self._remove(name)

    def save(self, runner: Runner, name: str, meta: dict) -> None:
        """Write a checkpoint, in all processes, and make it the one to resume from."""
        self.last_ckpt = str(Path(self.out_dir) / name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        parts = self.save_optimizer, self.save_param_scheduler
        runner.save_checkpoint(self.out_dir, name, None, *parts, meta)
        if is_main_process():
            with atomic_file(Path(runner.work_dir) / 'last_checkpoint') as file:
                file.write(self.last_ckpt.encode())

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not hasattr(self, 'file_backend'):  # A validation on its own.
            return
        if missing := sorted({*getattr(self, 'key_indicators', ())} - {'auto', *metrics}):
            raise ValueError(f'save_best: the validation has {[*metrics]}, but no {missing}')
        # mmengine would remove the best one before the next best stands.
        former: Any = getattr(self, 'best_ckpt_path', None)
        self.best_ckpt_path = None
        super()._save_best_checkpoint(runner, metrics)
        best = self.best_ckpt_path = self.best_ckpt_path or former
        if former and Path(former).name != Path(best).name:
            # Of a copied work directory, the original's stays.
            self._remove(Path(former).name)

    def _remove(self, name: str) -> None:
        if is_main_process():
            Path(self.out_dir, name).unlink(missing_ok=True)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Save a checkpoint and exit when the process receives SIGTERM, as schedulers send it.

    After the current optimizer step all processes save one checkpoint, from which
    ``resume='auto'`` goes on within the epoch, and raise :class:`SystemExit` with status 143. It is
    enough that one of them received the signal; every ``interval`` iterations they ask each other.
    """

    priority = 'LOWEST'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._former: Any = None

    def before_train(self, runner: Runner) -> None:
        """Begin to listen."""
        self._received = self._agreed = False
        self._pid = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._receive) or signal.SIG_DFL

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save and exit if any process received the signal."""
        if get_world_size() == 1:
            self._agreed = self._received
        elif self.every_n_train_iters(runner, self.interval):
            flag = torch.tensor(float(self._received or self._agreed))
            all_reduce(flag, 'max')
            self._agreed = bool(flag)
        if not (self._agreed and runner.optim_wrapper.should_update()):
            return
        iteration = runner.iter + 1
        outcome = 'Nothing was saved: that takes SafeCheckpointHook and ResumableEpochLoop.'
        for hook in runner.hooks:
            if isinstance(hook, SafeCheckpointHook) and can_resume_at(runner, iteration):
                hook.save(runner, _PREEMPTED, dict(epoch=runner.epoch, iter=iteration))
                outcome = f'Saved {hook.last_ckpt}: the same command with --resume goes on.'
        runner.logger.warning(f'SIGTERM ends training after iteration {iteration}. {outcome}')
        raise SystemExit(128 + signal.SIGTERM)

    def after_train_or_failure(self, runner: Runner) -> None:
        """Restore the former handler of the signal."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
            self._former = None

    after_train = after_train_or_failure  # Of runners that are not :class:`SafeRunner`.

    def _receive(self, number: int, *_) -> None:
        if os.getpid() != self._pid:  # One that the training has forked, such as one of a pool.
            os._exit(128 + number)
        self._received = True
