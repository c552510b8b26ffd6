"""Guard against NaN and infinity."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop all processes on NaN or infinity, and name iteration, images and first bad tensor.

    A GPU has to be waited for, so there several iterations are looked at together, and before a
    checkpoint is written. With float16, whose loss scaling meets infinite gradients by design, only
    the losses are looked at.

    Args:
        interval (int, optional): Iterations between looks. Defaults to None: 1 on a CPU, 50 on
            a GPU.
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
        if not outputs:
            return
        values = dict(outputs)
        gradients = getattr(runner.optim_wrapper, 'gradient_norms', None)
        if gradients is not None and not hasattr(runner.optim_wrapper, 'loss_scaler'):
            values['gradients'] = gradients[1].sum()
        samples = (data_batch.get('data_samples') or ()) if isinstance(data_batch, dict) else ()
        images = [sample.get('img_path') for sample in samples]
        for name, value in values.items():
            self._waiting.append((runner.iter + 1, images, name, value.detach()))
        on_gpu = self._waiting[0][-1].device.type != 'cpu'
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
