"""Hooks of every training: random numbers, figures, and a guard against NaN and infinity."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook, LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Derive all random numbers of training from seed, rank and iteration.

    Data sets get the seed and the epoch, samplers the epoch; torch's generators are seeded anew
    before each iteration. A resumed run therefore equals an uninterrupted one.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the data set seed and epoch, and the sampler the epoch."""
        sampler = runner.train_dataloader.sampler
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(runner.epoch)
        for dataset in _innermost(runner.train_dataloader.dataset):
            if hasattr(dataset, 'set_epoch'):
                dataset.set_seed(runner.seed)
                dataset.set_epoch(runner.epoch)

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Seed torch's generators for this rank and iteration."""
        entropy = (runner.seed, get_rank(), runner.iter)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def _innermost(dataset: Any) -> Iterator[Any]:
    """Data sets inside wrappers such as ``ConcatDataset`` and ``RepeatDataset``."""
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for part in parts:
        yield from [dataset] if part is None else _innermost(part)


@HOOKS.register_module()
class TrainingInfoHook(RuntimeInfoHook):
    """mmengine's hook, which does not wait for a GPU in each iteration: losses are read together.

    Adds images per second over all processes, the weight decay, and the number of bad images.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Tensor]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock; the time between epochs does not count."""
        super().before_train_epoch(runner)
        for history in runner.message_hub.log_scalars.values():
            # Each update copies all of it, which in a long run would cost more than the step.
            history.max_length = 10_000
        self._last = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Note the figures of this iteration, and pass them on when they are logged."""
        now = time.perf_counter()
        images = runner.train_dataloader.batch_size * get_world_size()
        hub, groups = runner.message_hub, runner.optim_wrapper.param_groups
        hub.update_scalar('train/images_per_second', images / (now - self._last))
        hub.update_scalar('train/weight_decay', max(g.get('weight_decay', 0) for g in groups))
        self._last = now
        self._waiting += [(name, value.detach()) for name, value in (outputs or {}).items()]
        on_cpu = all(value.device.type == 'cpu' for _, value in self._waiting)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        is_logged = any(self.every_n_train_iters(runner, interval) for interval in intervals)
        if on_cpu or is_logged or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.before_save_checkpoint(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict | None = None) -> None:
        """Bring the log up to this iteration."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            values = torch.stack([value.float().reshape(()) for _, value in waiting]).tolist()
            for (name, _), value in zip(waiting, values, strict=True):
                runner.message_hub.update_scalar(f'train/{name}', value)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log what is left, and say how many images could not be read."""
        self.before_save_checkpoint(runner)
        dataset = runner.train_dataloader.dataset
        summary = dataset.bad_image_summary() if hasattr(dataset, 'bad_image_summary') else {}
        if summary.get('bad'):
            runner.logger.warning(
                f'{summary["bad"]} of {summary["seen"]} images could not be used and were '
                'replaced by others; their names are above'
            )


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop all processes on NaN or infinity, and name iteration, images and first bad tensor.

    It looks every ``interval`` iterations (1 on a CPU, 50 on a GPU, which has to be waited for),
    and before a checkpoint is written. With float16, whose loss scaling meets infinite gradients
    by design, it looks at the losses alone.
    """

    # Before the teacher moves and before anything is saved.
    priority = 'VERY_HIGH'

    def __init__(self, interval: int | None = None) -> None:
        self.interval = interval
        # Iteration, its images, name and value of what was not looked at yet.
        self._waiting: list[tuple[int, list[str], str, Tensor]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Note losses and gradients, and look at them when it is time."""
        values = dict(outputs or {})
        gradients = getattr(runner.optim_wrapper, 'gradient_norms', None)
        if gradients is not None and not hasattr(runner.optim_wrapper, 'loss_scaler'):
            values['gradients'] = gradients[1].sum()
        samples = (data_batch.get('data_samples') or ()) if isinstance(data_batch, dict) else ()
        images = [sample.get('img_path') for sample in samples]
        for name, value in values.items():
            self._waiting.append((runner.iter + 1, images, name, value.detach()))
        on_gpu = any(value.device.type != 'cpu' for *_, value in self._waiting)
        if self.every_n_train_iters(runner, self.interval or (50 if on_gpu else 1)):
            self.after_train_epoch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at what is left, and raise an error in all processes when one has a bad value."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        finite = torch.stack([value.float().reshape(()) for *_, value in waiting]).isfinite()
        all_finite = finite.all().float()
        all_reduce(all_finite, 'min')
        if all_finite:
            return
        found = None
        bad = [noted for noted, good in zip(waiting, finite.tolist(), strict=True) if not good]
        if bad:
            iteration, images, *_ = bad[0]
            names = ', '.join(name for number, _, name, _ in bad if number == iteration)
            found = iteration, names, next(_suspects(runner), 'none in the weights'), images
        iteration, names, suspect, images = min(filter(None, all_gather_object(found)))
        raise FloatingPointError(
            f'NaN or infinity at iteration {iteration} in {names}. First bad tensor: {suspect}. '
            'Resume from the last checkpoint with a lower learning rate or in float32. Images of '
            f'the iteration: {", ".join(map(str, images))}'
        )

    # SafeRunner calls this in all processes: no bad weights are saved.
    before_save_checkpoint_in_all = after_train_epoch


def _suspects(runner: Runner) -> Iterator[str]:
    """Yield bad tensors in the order of cause: weights, statistics, gradients."""
    model = unwrap_model(runner.model)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if not tensor.isfinite().all():
            yield f'parameter or buffer {name}'
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    gradients: Any = getattr(runner.optim_wrapper, 'gradient_norms', None) or ([], [])
    for parameter, norm in zip(*gradients, strict=True):
        if not norm.isfinite():
            yield f'gradient of {names[id(parameter)]}'
