"""Figures about the course of training."""

import time

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS

_HISTORY_LENGTH = 10_000


@HOOKS.register_module()
class TrainingInfoHook(RuntimeInfoHook):
    """mmengine's hook, which does not wait for a GPU in each iteration: losses are read together.

    Adds images per second over all processes, the weight decay, and the number of bad images.
    """

    def __init__(self) -> None:
        self._outputs: list[dict[str, Tensor]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock; the time between epochs does not count."""
        super().before_train_epoch(runner)
        # Each update copies the whole history, which in a long run costs more than the step.
        for history in runner.message_hub.log_scalars.values():
            history.max_length = _HISTORY_LENGTH
        self._last = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Note the figures of this iteration, and pass them on when they are logged."""
        now = time.perf_counter()
        images = runner.train_dataloader.batch_size * get_world_size()
        groups = runner.optim_wrapper.param_groups
        if isinstance(groups, dict):  # Of several optimizers.
            groups = [group for several in groups.values() for group in several]
        decay = max(group.get('weight_decay', 0) for group in groups)
        hub = runner.message_hub
        hub.update_scalar('train/images_per_second', images / (now - self._last))
        hub.update_scalar('train/weight_decay', decay)
        self._last = now
        if outputs:
            self._outputs.append({name: value.detach() for name, value in outputs.items()})
        on_cpu = all(v.device.type == 'cpu' for v in (outputs or {}).values())
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        if on_cpu or any(self.every_n_train_iters(runner, n) for n in intervals or [1]):
            self._flush(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Let the checkpoint hold the log up to this iteration."""
        self._flush(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log what is left, and say how many images could not be read."""
        self._flush(runner)
        dataset = runner.train_dataloader.dataset
        summary = dataset.bad_image_summary() if hasattr(dataset, 'bad_image_summary') else {}
        if summary.get('bad'):
            runner.logger.warning(
                f'{summary["bad"]} of {summary["seen"]} images could not be used and were '
                'replaced by others; their names are above'
            )

    def _flush(self, runner: Runner) -> None:
        outputs, self._outputs = self._outputs, []
        if not outputs:
            return
        flat = torch.stack([v.float().reshape(()) for one in outputs for v in one.values()])
        values = iter(flat.tolist())
        for one in outputs:
            for name in one:
                runner.message_hub.update_scalar(f'train/{name}', next(values))
