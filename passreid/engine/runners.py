"""The runner of every run of this package."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mmengine
from mmengine.dist import all_reduce_params, broadcast_object_list, is_main_process
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import nn
from torch.utils.data import DataLoader

from passreid.registry import RUNNERS, TASK_UTILS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.distributed import unwrap_model

from .checkpoint_content import restore_histories, to_plain

# What states hold besides settings: names, how fast an optimizer is, where a schedule is, and what
# Adam has since torch 2.7 only.
_NO_SETTINGS = {
    *('params', 'param_names', 'foreach', 'fused', 'capturable', 'differentiable'),
    *('decoupled_weight_decay', 'base_values', 'last_step', 'verbose'),
    *('best', 'num_bad_epochs', 'cooldown_counter'),
}
# What cannot change within a run.
_SIZES = 'parameters of each group'
_EPOCH = 'iterations an epoch (keep the images and batch_size x processes)'
_SHOWN = 8


@RUNNERS.register_module()
class SafeRunner(Runner):
    """A Runner whose checkpoints are whole, hold plain values and are resumed if they fit.

    Workers of data loaders end with their process, and not by a signal to the whole job.
    """

    # mmengine's, which names no types.
    _resume: bool
    _load_from: str | None
    optim_wrapper: Any
    param_schedulers: Any

    def train(self) -> nn.Module:
        """Train, and tell the hooks when it is over, also by an error."""
        try:
            return super().train()
        finally:
            self.call_hook('after_train_or_failure')

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: Any = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        **kwargs,
    ) -> None:
        """Save a local checkpoint, piece by piece; all processes call this, the first one writes.

        mmengine builds the whole file in memory, twice, and writes it under its final name.
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
            if isinstance(schedulers := self.param_schedulers, dict):  # Of several optimizers.
                states: Any = {k: [one.state_dict() for one in v] for k, v in schedulers.items()}
            else:
                states = [one.state_dict() for one in schedulers]
            content['param_schedulers'] = states
        content['state_dict'] = weights_to_cpu(unwrap_model(self.model).state_dict())
        self.call_hook('before_save_checkpoint', checkpoint=content)
        content = {k: v if k == 'state_dict' else to_plain(v) for k, v in content.items()}
        save_atomically(content, Path(out_dir) / filename)

    def load_or_resume(self) -> None:
        """Load what the first process chose to load or resume from."""
        choice: list[Any] = [self._resume, self._load_from]
        broadcast_object_list(choice)
        self._resume, self._load_from = choice
        super().load_or_resume()

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Resume a run; see :meth:`load_checkpoint`."""
        self._resume = True
        super().resume(filename, *args, **kwargs)

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """Load a checkpoint of whatever kind into the model, and log what it got.

        Raises:
            RuntimeError: When less than three quarters of the backbone were loaded.
            ValueError: When its weights cannot be those of the model; names the file. To resume
                from it, also when it lacks a part, or has another optimizer, schedule or length
                of an epoch. What else the config has changed is warned of.
        """
        checkpoint = dict(read_checkpoint(filename))
        resumes = self._resume and not self._has_loaded
        if resumes:
            self._check_settings(checkpoint, filename)
        # mmengine would run the config that a file brings along.
        if isinstance(meta := checkpoint.get('meta'), dict):
            meta.pop('config', None)
        restore_histories(checkpoint)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = unwrap_model(self.model)
        report = TASK_UTILS.get('fill_model')(model, checkpoint, filename)
        if resumes and (report.resized or report.initialised):
            raise ValueError(f'{_refusal(filename)}\n{report.table()}')
        report.check(0.75 if hasattr(model, 'backbone') else 0.0)
        log = self.logger.info if report.clean else self.logger.warning
        log(report.table())
        return checkpoint

    def _check_settings(self, checkpoint: dict[str, Any], filename: str) -> None:
        """Refuse what is not a checkpoint of this run, and warn of what its config has changed."""
        # These are still configs when somebody resumes before the training begins.
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        own: dict[str, Any] = dict(optimizer=self.optim_wrapper.state_dict())
        if self.param_schedulers:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
            own['param_schedulers'] = [one.state_dict() for one in self.param_schedulers]
        missing = [k for k in ('state_dict', 'message_hub', *own) if not checkpoint.get(k)]
        if not {'epoch', 'iter'} <= set(checkpoint.get('meta') or ()):
            missing.append('meta with epoch and iter')
        if missing:
            raise ValueError(f'{_refusal(filename)}\nIt has no {", ".join(missing)}.')
        saved, wanted = (_settings(parts, [*own]) for parts in (checkpoint, own))
        planned = checkpoint['message_hub']['runtime_info']
        if 'param_schedulers' in own:
            saved['max_iters'], wanted['max_iters'] = planned['max_iters'], self.max_iters
        if isinstance(self.train_loop, EpochBasedTrainLoop):
            saved[_EPOCH] = planned['max_iters'] // planned['max_epochs']
            wanted[_EPOCH] = len(self.train_dataloader)
        misfits: list[str] = []
        changes: list[str] = []
        for name in dict.fromkeys([*wanted, *saved]):
            values = [one.get(name, 'nothing') for one in (saved, wanted)]
            if values[0] != values[1]:
                fits = 'nothing' not in values and name not in (_SIZES, _EPOCH)
                text = f'{name}: {values[0]} in the checkpoint, {values[1]} by the config'
                (changes if fits else misfits).append(text)
        if misfits:
            raise ValueError('\n- '.join([_refusal(filename), *misfits[:_SHOWN]]))
        if changes:
            note = (
                f'The config has changed since {filename} was written. The values of the '
                'checkpoint are kept, except for max_iters:'
            )
            self.logger.warning('\n- '.join([note, *changes[:_SHOWN]]))

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader with workers that are watched over; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        return loader


def _refusal(filename: str) -> str:
    return (
        f'{filename} cannot be resumed. To start a new run from its weights, set '
        f"load_from='{filename}' and resume=False (tools/train.py: --cfg-options "
        f'load_from={filename}, without --resume).'
    )


def _settings(checkpoint: Mapping[str, Any], parts: list[str]) -> dict[str, Any]:
    """Return what the config sets in the states of optimizer and schedules, by dotted name."""
    if 'param_groups' not in checkpoint['optimizer']:  # Of several optimizers.
        return {}
    groups = checkpoint['optimizer']['param_groups']
    found: dict[str, Any] = {_SIZES: [len(group['params']) for group in groups]}
    lists = {'optimizer.param_groups': groups}
    if 'param_schedulers' in parts:
        lists['param_schedulers'] = checkpoint['param_schedulers']
    for name, states in lists.items():
        for index, state in enumerate(states):
            for key, value in state.items():
                if key not in _NO_SETTINGS and not key.startswith(('_', 'initial_')):
                    # Where a schedule started counts, not where it is.
                    found[f'{name}.{index}.{key}'] = state.get(f'initial_{key}', value)
    return found


def _start_worker(init: Callable[[int], None] | None, worker_id: int) -> None:
    """Begin a worker of a data loader; it must outlive a signal to its process, but not that."""
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
