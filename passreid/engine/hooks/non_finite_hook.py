"""Guard against NaN and infinity."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop on NaN or infinity, and name the iteration, its images and the first bad tensor.

    All processes stop together. On a CPU each iteration is looked at when it ends. A GPU has
    to be waited for, so there all iterations since the last look are looked at together, and
    before a checkpoint is written: no bad weights are saved. Loss scaling of float16 meets
    infinite gradients by design, so there only the losses are looked at.

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
            self._look(runner, data_batch)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at what is left."""
        self._look(runner)

    def before_save_checkpoint_in_all(self, runner: Runner) -> None:
        """Look at what is left; :class:`SafeRunner` calls this in all processes."""
        self._look(runner)

    def _look(self, runner: Runner, data_batch=None) -> None:
        """Raise an error in all processes when one of them has a bad value."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        values = torch.stack([value.float().reshape(()) for *_, value in waiting])
        finite = values.isfinite().tolist()
        bad = [noted for noted, good in zip(waiting, finite, strict=True) if not good]
        any_bad = torch.tensor(float(len(bad)))
        all_reduce(any_bad, 'max')
        if not any_bad:
            return
        found = None
        if bad:
            iteration, images, *_ = bad[0]
            names = ', '.join(name for number, _, name, _ in bad if number == iteration)
            batch = data_batch if iteration == runner.iter + 1 else None
            suspect = next(self._suspects(runner, batch), 'none was found afterwards')
            found = iteration, names, suspect, images
        iteration, names, suspect, images = min(filter(None, all_gather_object(found)))
        raise FloatingPointError(
            f'NaN or infinity at iteration {iteration} in {names}. First bad tensor: {suspect}. '
            'Resume from the last checkpoint with a lower learning rate or in float32. Images of '
            f'the iteration: {", ".join(map(str, images))}'
        )

    def _suspects(self, runner: Runner, data_batch) -> Iterator[str]:
        """Bad tensors in the order of cause: weights, inputs, activations, gradients."""
        model = unwrap_model(runner.model)
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if _is_bad(tensor):
                yield f'parameter or buffer {name}'
        # A loss may ask the other processes, which do not ask at the same time.
        if data_batch is not None and get_world_size() == 1:
            # In the precision of the training.
            with torch.no_grad(), runner.optim_wrapper.optim_context(model):
                outputs = _bad_outputs(model, data_batch)
            yield from outputs
        gradients = getattr(runner.optim_wrapper, 'gradient_norms', None)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for parameter, norm in zip(*(gradients or ([], [])), strict=True):
            if _is_bad(norm):
                yield f'gradient of {names.get(id(parameter), "an unknown parameter")}'


def _is_bad(value) -> bool:
    return isinstance(value, Tensor) and not bool(torch.isfinite(value).all())


def _bad_outputs(model: Any, data_batch) -> list[str]:
    """Run the batch once more and name the modules whose outputs are bad, in order."""
    found: list[str] = []

    def watch(name: str):
        def look(module: nn.Module, inputs, output) -> None:
            outputs = output if isinstance(output, (tuple, list)) else (output,)
            if any(_is_bad(value) for value in outputs):
                found.append(f'output of {name} ({type(module).__name__})')

        return look

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        data = model.data_preprocessor(data_batch, training=True)
        inputs = data['inputs']
        for name, value in inputs.items() if isinstance(inputs, dict) else ():
            if _is_bad(value):
                found.insert(0, f'input {name}')
        model(**data, mode='loss')
    finally:
        for hook in hooks:
            hook.remove()
    return found
