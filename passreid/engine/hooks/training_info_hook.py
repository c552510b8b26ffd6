"""Figures about the course of training."""

import time

from mmengine.dist import get_world_size
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.delayed_values import DelayedValues

_HISTORY_LENGTH = 10_000


@HOOKS.register_module()
class TrainingInfoHook(RuntimeInfoHook):
    """Collect what is logged, without waiting for the device.

    In place of mmengine's hook, which reads each loss off the GPU in each
    iteration. Adds images per second over all processes, the weight decay, and
    at the end of an epoch a word on images that could not be read.
    """

    def __init__(self) -> None:
        self._outputs = DelayedValues()

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
        """Log the figures of this iteration, on a GPU the losses of the one before."""
        now = time.perf_counter()
        images = runner.train_dataloader.batch_size * get_world_size()
        decay = max(group['weight_decay'] for group in runner.optim_wrapper.param_groups)
        hub = runner.message_hub
        hub.update_scalar('train/images_per_second', images / (now - self._last))
        hub.update_scalar('train/weight_decay', decay)
        self._last = now
        self._log(runner, self._outputs.push(outputs) if outputs else None)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log what is still on its way."""
        self._log(runner, self._outputs.flush())
        dataset = runner.train_dataloader.dataset
        summary = dataset.bad_image_summary() if hasattr(dataset, 'bad_image_summary') else {}
        if summary.get('bad'):
            runner.logger.warning(
                f'{summary["bad"]} of {summary["seen"]} images could not be used and were '
                'replaced by others; their names are above'
            )

    def _log(self, runner: Runner, values: dict[str, float] | None) -> None:
        for name, value in (values or {}).items():
            runner.message_hub.update_scalar(f'train/{name}', value)
