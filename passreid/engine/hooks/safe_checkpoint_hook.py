"""Checkpoints of which the last good one is never given up."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.atomic_file import remove_partial_files
from passreid.utils.last_checkpoint import write_last_checkpoint

from ..loops import can_resume_at

# What a run that was told to end wrote last. One name, so that there is never more than one.
PREEMPTED = 'preempted.pth'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """:class:`mmengine.hooks.CheckpointHook` that survives a kill or a full disk at any moment.

    mmengine removes the oldest checkpoint before it writes the new one, and empties
    ``last_checkpoint`` to write it anew. Here a checkpoint goes when the new one and
    ``last_checkpoint`` stand, so for a moment there is one more than ``max_keep_ckpts``. What a
    killed run was about to remove, and the halves of files it left, the next start removes.

    A checkpoint that is due while gradients are accumulated (``accumulative_counts``) is written
    after the step of the optimizer, unless the loop cannot be resumed there.
    """

    _is_due = False
    # mmengine's, which names no types.
    file_backend: Any = None

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder and remove the halves of files that a killed run left."""
        super().before_train(runner)
        if is_main_process():
            for folder in {runner.work_dir, self.out_dir}:
                for path in remove_partial_files(folder):
                    runner.logger.warning(f'Removed {path}, which a killed run left half-written.')

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save a checkpoint that is due, or that was due within the step; see mmengine."""
        super().after_train_iter(runner, *args, **kwargs)
        if self._is_due and not is_within_step(runner):
            done = runner.iter + 1
            step = runner.epoch if self.by_epoch else done
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=done))

    def save_preempted(self, runner: Runner, iteration: int) -> None:
        """Save a checkpoint besides the regular ones, which the next of them replaces.

        All processes must call this, after so many iterations.
        """
        self._save(runner, PREEMPTED, dict(epoch=runner.epoch, iter=iteration))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._is_due = is_within_step(runner) and can_resume_at(runner, meta['iter'] + 1)
        if self._is_due:
            return
        outdated = [PREEMPTED]
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            # The checkpoint names what is about to go: should the run be killed before that, it
            # goes when the next one starts.
            runner.message_hub.update_info('keep_ckpt_ids', [*self.keep_ckpt_ids, step])
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids[0]))
            self.keep_ckpt_ids.append(step)
        parts = dict(
            save_optimizer=self.save_optimizer, save_param_scheduler=self.save_param_scheduler
        )
        self._save(runner, self.filename_tmpl.format(step), meta, **parts, **self.args)
        for name in outdated:
            self._remove(name)

    def _save(self, runner: Runner, name: str, meta: dict, **options: Any) -> None:
        """Write a checkpoint and make it the one to resume from."""
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            meta=meta,
            backend_args=self.backend_args,
            **options,
        )
        if is_main_process():
            write_last_checkpoint(runner.work_dir, self.last_ckpt)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not self.save_best or self.file_backend is None:  # A validation on its own.
            return
        several = len(self.key_indicators) > 1
        paths: Any = self.best_ckpt_path_dict if several else vars(self)
        before = {
            key: paths[key] for key in (self.key_indicators if several else ['best_ckpt_path'])
        }
        # mmengine would remove the best one before the next best stands.
        paths.update(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        for key, path in before.items():
            if paths[key] is None:
                paths[key] = path
            elif path and Path(path).name != Path(paths[key]).name:
                # Of a copied work directory, the original's stays.
                self._remove(Path(path).name)

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)


def is_within_step(runner: Runner) -> bool:
    """Return whether gradients are accumulated that the optimizer has not used yet.

    Several optimizers step as their model wants, so of them this is not known.
    """
    wrapper = runner.optim_wrapper
    return not isinstance(wrapper, OptimWrapperDict) and not wrapper.should_update()
