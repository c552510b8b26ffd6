"""The runner of every run of this package."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import mmengine
from mmengine.dist import all_reduce_params, broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend, join_path
from mmengine.runner import CheckpointLoader, EpochBasedTrainLoop, Runner, save_checkpoint
from mmengine.runner.checkpoint import weights_to_cpu
from torch import Tensor, nn
from torch.utils.data import DataLoader

from passreid.registry import RUNNERS, TASK_UTILS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.unwrap import unwrap_model

from .checkpoint_content import restore_histories, to_plain

# What states hold besides settings: tensors, names, how fast an optimizer is, where a schedule is,
# and what Adam has since torch 2.7 only.
_NO_SETTINGS = {
    *('state', 'loss_scaler', 'base_param_settings'),
    *('param_names', 'foreach', 'fused', 'capturable', 'differentiable', 'decoupled_weight_decay'),
    *('base_values', 'last_step', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter'),
}
_SHOWN = 8


@RUNNERS.register_module()
class SafeRunner(Runner):
    """A Runner that loses nothing, and says what went wrong in words that help to mend it.

    - A checkpoint is there as a whole or not at all, and holds plain values only.
    - All processes resume from what the first one chose, if it fits the config.
    - Workers of data loaders end with their process, and not by a signal to the whole job, after
      which that process saves and ends.
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

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Save a checkpoint; see mmengine. All processes must call this, the first one writes.

        mmengine builds the whole file in memory, twice, and writes it under its final name. Here a
        local file is written piece by piece beside the old one, and then takes its place.

        Raises:
            NotSavedError: When a local file cannot be written; those before are as they were.
        """
        self.call_hook('before_save_checkpoint_in_all')
        # Otherwise the statistics of the first process would be those of a resumed run.
        statistics = [v for name, v in self.model.named_buffers() if '.running_' in name]
        if statistics:
            all_reduce_params(statistics, op='mean')
        if not is_main_process():
            return
        meta = dict(epoch=self.epoch + by_epoch, iter=self.iter + (not by_epoch)) | (meta or {})
        meta |= dict(
            cfg=self.cfg.pretty_text,
            seed=self.seed,
            experiment_name=self.experiment_name,
            time=time.strftime('%Y%m%d_%H%M%S'),
            mmengine_version=mmengine.__version__,
            dataset_meta=getattr(self.train_dataloader.dataset, 'metainfo', None),
        )
        content = dict(meta=meta, message_hub=self.message_hub.state_dict())
        if save_optimizer:
            content['optimizer'] = self.optim_wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            content['param_schedulers'] = _states_of(self.param_schedulers)
        content['state_dict'] = weights_to_cpu(unwrap_model(self.model).state_dict())
        self.call_hook('before_save_checkpoint', checkpoint=content)
        content = {k: v if k == 'state_dict' else to_plain(v) for k, v in content.items()}
        path = join_path(out_dir, filename, backend_args=backend_args)
        if isinstance(get_file_backend(path, backend_args=backend_args), LocalBackend):
            save_atomically(content, path)
        else:
            save_checkpoint(content, path, file_client_args, backend_args)

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

        What the config has changed since is warned of.

        Raises:
            ValueError: When the checkpoint lacks a part, or has another model, optimizer, schedule
                or length of an epoch; the run is as it was.
        """
        advice = (
            f"To start a new run from its weights, set load_from='{filename}' and resume=False "
            f'(tools/train.py: --cfg-options load_from={filename}, without --resume).'
        )
        # Without the values of the tensors, so that nothing is read twice.
        content = CheckpointLoader.load_checkpoint(filename, map_location='meta', logger='silent')
        wanted = ['optimizer'] if resume_optimizer else []
        if resume_param_scheduler and self.param_schedulers:
            wanted.append('param_schedulers')
        parts = content if isinstance(content, Mapping) else {}
        missing = [key for key in ('state_dict', 'message_hub', *wanted) if not parts.get(key)]
        if not {'epoch', 'iter'} <= set(parts.get('meta') or ()):
            missing.append('meta with epoch and iter')
        if missing:
            raise ValueError(f'{filename} has no {", ".join(missing)} to resume from. {advice}')
        found = dict(_differences(self, content, wanted))
        misfits = [text for text, is_misfit in found.items() if is_misfit]
        lines = '\n- '.join(['', *(misfits or found)][: 1 + _SHOWN])
        if misfits:
            raise ValueError(f'{filename} cannot be resumed:{lines}\n{advice}')
        if found:
            self.logger.warning(
                f'The config has changed since {filename} was written. The values of the '
                f'checkpoint are kept, except for max_iters:{lines}\n{advice}'
            )
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """Load a checkpoint of whatever kind into the model, and log what it got; see mmengine.

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
        log = self.logger.info if report.clean else self.logger.warning
        log(report.table())
        return checkpoint

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader with workers that are watched over; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        return loader


def _states_of(schedulers: Any) -> Any:
    if isinstance(schedulers, dict):  # Of several optimizers.
        return {name: _states_of(several) for name, several in schedulers.items()}
    return [scheduler.state_dict() for scheduler in schedulers]


def _differences(runner: Runner, checkpoint: Any, wanted: list[str]) -> Iterator[tuple[str, bool]]:
    """Say where a checkpoint and a run differ, and whether that keeps it from being resumed."""

    def text(name: str, saved: Any, own: Any) -> str:
        return f'{name}: {saved} in the checkpoint, {own} by the config'

    planned = checkpoint['message_hub'].get('runtime_info', {})
    iterations, epochs = planned.get('max_iters'), planned.get('max_epochs')
    if iterations and epochs and isinstance(runner.train_loop, EpochBasedTrainLoop):
        saved, own = iterations // epochs, len(runner.train_dataloader)
        if saved != own:
            name = 'iterations an epoch (keep the images and batch_size x processes)'
            yield text(name, saved, own), True
    if iterations and iterations != runner.max_iters and 'param_schedulers' in wanted:
        yield text('max_iters', iterations, runner.max_iters), False
    # These are still configs when somebody resumes before the training begins.
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    parts = {
        'optimizer': runner.optim_wrapper.state_dict(),
        'param_schedulers': _states_of(runner.param_schedulers or []),
    }
    for part in wanted:
        first, second = (dict(_settings(part, one[part])) for one in (checkpoint, parts))
        for name in dict.fromkeys([*second, *first]):
            values = [one.get(name, 'nothing') for one in (first, second)]
            if values[0] != values[1]:
                yield text(name, *values), 'nothing' in values or name.endswith('parameters')
    weights = {k.removeprefix('module.'): v for k, v in checkpoint['state_dict'].items()}
    for name, value in unwrap_model(runner.model).state_dict().items():
        shapes = [
            tuple(v.shape) if isinstance(v, Tensor) else v for v in (weights.get(name), value)
        ]
        # mmengine loads weights without these counts as well, and reports what the file has more.
        if shapes[0] != shapes[1] and not name.endswith('num_batches_tracked'):
            yield text(name, *shapes), True


def _settings(name: str, state: Any) -> Iterator[tuple[str, Any]]:
    """Yield what the config sets in the state of optimizers or schedules, by dotted name."""
    if isinstance(state, Mapping):
        for key, value in state.items():
            if key == 'params':
                yield f'{name}.parameters', len(value)
            elif key not in _NO_SETTINGS and not str(key).startswith(('_', 'initial_')):
                # Where a schedule started counts, not where it is.
                yield from _settings(f'{name}.{key}', state.get(f'initial_{key}', value))
    elif isinstance(state, list) and state and isinstance(state[0], Mapping):
        for index, one in enumerate(state):
            yield from _settings(f'{name}.{index}', one)
    elif not isinstance(state, Tensor):
        yield name, state


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
