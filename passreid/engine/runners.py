"""The runner of every run of this package."""

import difflib
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.dist import all_reduce_params, broadcast_object_list, is_main_process
from mmengine.logging import HistoryBuffer
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import Tensor, nn
from torch.utils.data import DataLoader

from passreid.registry import RUNNERS, TASK_UTILS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.distributed import unwrap_model

# What a run is resumed from, and the entries of a config that differ from start to start.
_PARTS = ('state_dict', 'optimizer', 'message_hub', 'meta')
_PASSING = ('work_dir', 'load_from', 'resume', 'launcher')


@RUNNERS.register_module()
class SafeRunner(Runner):
    """A Runner whose checkpoints are whole, hold plain values and are resumed if they fit.

    Workers of data loaders end with their process, and not by a signal to the whole job.
    """

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
            pixels=pixels_of(self.model),
            dataset_meta=getattr(self.train_dataloader.dataset, 'metainfo', None),
        )
        content = dict(meta=meta, message_hub=self.message_hub.state_dict())
        if save_optimizer:
            content['optimizer'] = self.optim_wrapper.state_dict()
        if save_param_scheduler and self.param_schedulers is not None:
            content['param_schedulers'] = [one.state_dict() for one in self.param_schedulers]
        content['state_dict'] = weights_to_cpu(unwrap_model(self.model).state_dict())
        self.call_hook('before_save_checkpoint', checkpoint=content)
        content = {k: v if k == 'state_dict' else _to_plain(v) for k, v in content.items()}
        save_atomically(content, Path(out_dir) / filename)

    def _init_model_weights(self) -> None:
        super()._init_model_weights()
        TASK_UTILS.get('take_pixels')(unwrap_model(self.model))

    def load_or_resume(self) -> None:
        """Load what the first process chose to load or resume from."""
        choice: list[Any] = [self._resume, self._load_from]
        broadcast_object_list(choice)
        self._resume, self._load_from = choice
        super().load_or_resume()

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Resume a run from a checkpoint that fits it; the error names the file."""
        self._resume = True
        try:
            super().resume(filename, *args, **kwargs)
            optimizer = self.optim_wrapper.optimizer
            if lacking := optimizer.defaults.keys() - optimizer.param_groups[0].keys():
                raise ValueError(f'its optimizer has no {", ".join(sorted(lacking))}.')
        # torch's, too, of groups of parameters and of optimizers that do not fit.
        except (KeyError, ValueError) as error:
            raise ValueError(
                f'{filename} cannot be resumed: {error}\nTo start a new run from its weights, set '
                f"load_from='{filename}' and resume=False (tools/train.py: --cfg-options "
                f'load_from={filename}, without --resume).'
            ) from error

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """Load a checkpoint of whatever kind that fits into the model, and log what it got."""
        checkpoint = dict(read_checkpoint(filename))
        resumes = self._resume and not self._has_loaded
        if resumes:
            self._check_run(checkpoint)
        # mmengine would run the config that a file brings along.
        if isinstance(meta := checkpoint.get('meta'), dict):
            meta.pop('config', None)
        _restore_histories(checkpoint)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = unwrap_model(self.model)
        report = TASK_UTILS.get('fill_model')(model, checkpoint, filename)
        if resumes and (report.resized or report.initialised):
            raise ValueError(report.table())
        report.check(0.75 if hasattr(model, 'backbone') else 0.0)
        log = self.logger.info if report.clean else self.logger.warning
        log(report.table())
        return checkpoint

    def _check_run(self, checkpoint: dict[str, Any]) -> None:
        """Refuse what is no checkpoint of this run, and warn of what its config has changed."""
        if missing := [part for part in _PARTS if not checkpoint.get(part)]:
            raise ValueError(f'it has no {", ".join(missing)}.')
        if isinstance(self.train_loop, EpochBasedTrainLoop):
            planned = checkpoint['message_hub']['runtime_info']
            length, own = planned['max_iters'] // planned['max_epochs'], len(self.train_dataloader)
            if length != own:
                raise ValueError(
                    f'its epochs have {length} iterations, those of the config {own}. Keep the '
                    'images and batch_size x processes.'
                )
        old, new = checkpoint['meta'].get('cfg', ''), self.cfg.pretty_text
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm='')
        changes = [x for x in list(lines)[2:] if x[0] in '+-' and not x[1:].startswith(_PASSING)]
        if old and changes:
            text = 'Optimizer and schedules go on as in the checkpoint; the config has changed:'
            self.logger.warning('\n'.join([text, *changes[:16]]))

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """Build a data loader with workers that are watched over; see mmengine."""
        loader = Runner.build_dataloader(*args, **kwargs)
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        return loader


def pixels_of(model: nn.Module) -> dict[str, list[float]] | None:
    """Return the mean and std of R, G, B by which a model normalises pixels, for a checkpoint."""
    preprocessor = unwrap_model(model).data_preprocessor
    names = [name for name in ('mean', 'std') if hasattr(preprocessor, name)]
    values = {name: getattr(preprocessor, name).flatten().cpu().numpy() for name in names}
    # Float32 numbers as somebody wrote them: the shortest text that means the same.
    return {name: [float(str(value)) for value in own] for name, own in values.items()} or None


def _to_plain(value: Any) -> Any:
    """Return nested values as dicts, lists, tuples, tensors on the CPU and Python values."""
    if isinstance(value, HistoryBuffer):
        histories = tuple(torch.from_numpy(np.array(history)) for history in value.data)
        return {'history_buffer': histories, 'max_length': value.max_length}
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        kind = type(value) if isinstance(value, OrderedDict | Counter) else dict
        return kind({key: _to_plain(child) for key, child in value.items()})
    if type(value) in (list, tuple):
        return type(value)(_to_plain(child) for child in value)
    return value


def _restore_histories(checkpoint: dict[str, Any]) -> None:
    """Make the log histories of a checkpoint what mmengine's message hub expects, in place."""
    scalars = (checkpoint.get('message_hub') or {}).get('log_scalars', {})
    for name, value in scalars.items():
        if isinstance(value, dict) and 'history_buffer' in value:
            values, counts = (history.cpu().numpy() for history in value['history_buffer'])
            scalars[name] = HistoryBuffer(values, counts, value['max_length'])


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
