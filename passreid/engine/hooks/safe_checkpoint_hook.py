"""Checkpoints of which the last good one is never given up."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.atomic_file import remove_partial_files, write_last_checkpoint

from ..atomic_checkpoints import atomic_checkpoints
from ..runners.resumable_epoch_loop import can_resume_at

# What a run that was told to end wrote last. One name, so that there is never more than one.
PREEMPTED = 'preempted.pth'
_KEPT, _OUTDATED = 'keep_ckpt_ids', 'outdated_best_checkpoints'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """:class:`mmengine.hooks.CheckpointHook` that survives a kill or a full disk at any moment.

    mmengine removes the oldest checkpoint before it writes the new one, and empties
    ``last_checkpoint`` to write it anew. Here a checkpoint goes when the new one and
    ``last_checkpoint`` stand, so for a moment there is one more than ``max_keep_ckpts``. What a
    killed run was about to remove, and the halves of files it left, the next start removes.

    A checkpoint that is due while gradients are accumulated (``accumulative_counts``) is written
    after the step of the optimiser, unless the loop cannot be resumed there.

    Args:
        *args: Of :class:`mmengine.hooks.CheckpointHook`.
        **kwargs: The same.
    """

    # Iteration of the training that the last checkpoint was written after.
    saved_iter = -1
    _is_due = False
    # mmengine's, which names no types.
    file_backend: Any = None
    best_ckpt_path: Any
    best_ckpt_path_dict: dict[str, Any]

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder and remove what a killed run left; see mmengine.

        Args:
            runner (Runner): The runner.
        """
        super().before_train(runner)
        if self.save_best is not None and isinstance(self.file_backend, LocalBackend):
            self._find_moved_best()
        if not is_main_process():
            return
        if isinstance(self.file_backend, LocalBackend):
            for folder in {Path(runner.work_dir), Path(self.out_dir)}:
                for path in remove_partial_files(folder):
                    runner.logger.warning(f'Removed {path}, which a killed run left half-written.')
        for name in runner.message_hub.runtime_info.pop(_OUTDATED, []):
            self._remove_unless_best(self.file_backend.join_path(self.out_dir, name))

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save a checkpoint that is due, or that was due within the step; see mmengine.

        Args:
            runner (Runner): The runner.
            *args: Of mmengine's hook.
            **kwargs: The same.
        """
        super().after_train_iter(runner, *args, **kwargs)
        if self._is_due and not is_within_step(runner):
            done = runner.iter + 1
            step = runner.epoch if self.by_epoch else done
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=done))

    def save_preempted(self, runner: Runner, iteration: int) -> None:
        """Save a checkpoint besides the regular ones, which the next of them replaces.

        Args:
            runner (Runner): The runner. All its processes must call this.
            iteration (int): Number of iterations that are done.
        """
        if self.saved_iter != iteration:
            meta = dict(epoch=runner.epoch, iter=iteration)
            self._save(runner, PREEMPTED, meta, save_optimizer=True, save_param_scheduler=True)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._is_due = is_within_step(runner) and can_resume_at(runner, meta['iter'] + 1)
        if self._is_due:
            return
        outdated = [PREEMPTED]
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated.append(self.filename_tmpl.format(self.keep_ckpt_ids[0]))
            # The checkpoint names what is about to go: should the run be killed before that, it
            # goes when the next one starts.
            names = [*self.keep_ckpt_ids, step]
            runner.message_hub.update_info(_KEPT, names)
            self.keep_ckpt_ids.append(step)
        self._save(
            runner,
            self.filename_tmpl.format(step),
            meta,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
        )
        if is_main_process():
            for name in outdated:
                self._remove(self.file_backend.join_path(self.out_dir, name))

    def _save(self, runner: Runner, name: str, meta: dict, **parts: bool) -> None:
        """Write a checkpoint and make it the one to resume from."""
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        iteration = meta['iter']
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **parts,
            **self.args,
        )
        if is_main_process():
            write_last_checkpoint(runner.work_dir, self.last_ckpt)
        self.saved_iter = iteration

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        backend = self.file_backend
        if not self.save_best or backend is None:  # A validation on its own saves nothing.
            return
        delayed = _DelayedRemovals(backend, runner)
        self.file_backend = delayed
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        for path in delayed.removed:
            self._remove_unless_best(path)
        runner.message_hub.runtime_info.pop(_OUTDATED, None)

    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        with atomic_checkpoints():
            super()._publish_model(runner, ckpt_path)

    def _find_moved_best(self) -> None:
        """Expect the best checkpoints where this run writes: they may have been moved there."""

        def here(path: str | None) -> str | None:
            return path and self.file_backend.join_path(self.out_dir, Path(path).name)

        if len(self.key_indicators) == 1:
            self.best_ckpt_path = here(self.best_ckpt_path)
        else:
            self.best_ckpt_path_dict = {
                name: here(path) for name, path in self.best_ckpt_path_dict.items()
            }

    def _best(self) -> set[Any]:
        """Return the paths of the best checkpoints."""
        several = getattr(self, 'best_ckpt_path_dict', {}).values()
        return {getattr(self, 'best_ckpt_path', None), *several}

    def _remove_unless_best(self, path: str) -> None:
        if path not in self._best():
            self._remove(path)

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)


def is_within_step(runner: Runner) -> bool:
    """Return whether gradients are accumulated that the optimiser has not used yet.

    Args:
        runner (Runner): The runner. Several optimisers step as their model wants, so of them this
            is not known.
    """
    wrapper = runner.optim_wrapper
    return not isinstance(wrapper, OptimWrapperDict) and not wrapper.should_update()


class _DelayedRemovals:
    """A storage that notes what is to be removed, here and in the checkpoints of the run."""

    def __init__(self, backend: Any, runner: Runner) -> None:
        self.removed: list[str] = []
        self._backend, self._runner = backend, runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)
        names = [Path(one).name for one in self.removed]
        self._runner.message_hub.update_info(_OUTDATED, names)
