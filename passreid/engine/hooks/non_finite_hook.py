"""Guard against NaN and infinity."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from passreid.registry import HOOKS
from passreid.utils.delayed_values import DelayedValues
from passreid.utils.unwrap import unwrap_model


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop on NaN or infinity and name the first tensor that has it.

    On a CPU each iteration is looked at when it ends; on a GPU one iteration
    late, which costs no synchronisation, and without delay before a checkpoint
    is written. Loss scaling of float16 meets infinite gradients by design, so
    there only the losses are looked at.
    """

    # Before the teacher moves and before anything is saved.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._values = DelayedValues()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Look at losses and gradients."""
        if not outputs:
            return
        looked_at = dict(outputs)
        gradients = getattr(runner.optim_wrapper, 'gradient_norms', None)
        if gradients is not None and not hasattr(runner.optim_wrapper, 'loss_scaler'):
            looked_at['gradients'] = gradients[1].sum()
        self._check(runner, self._values.push(looked_at), data_batch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what is still on its way: no bad weights are saved."""
        self._check(runner, self._values.flush(), None)

    def _check(self, runner: Runner, values: dict[str, float] | None, data_batch) -> None:
        bad = [name for name, value in (values or {}).items() if not isfinite(value)]
        if not bad:
            return
        model = unwrap_model(runner.model)
        first = next(self._suspects(runner, model, data_batch), 'none was found afterwards')
        raise FloatingPointError(
            f'NaN or infinity at iteration {runner.iter + 1} in {", ".join(bad)}. First bad '
            f'tensor: {first}. Resume from the last checkpoint with a lower learning rate or '
            'in float32.'
        )

    def _suspects(self, runner: Runner, model: nn.Module, data_batch) -> Iterator[str]:
        """Bad tensors in the order of cause: weights, inputs, activations, gradients."""
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if _is_bad(tensor):
                yield f'parameter or buffer {name}'
        if data_batch is not None:
            yield from _bad_activations(model, data_batch)
        gradients = getattr(runner.optim_wrapper, 'gradient_norms', None)
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        for parameter, norm in zip(*(gradients or ([], [])), strict=True):
            if _is_bad(norm):
                yield f'gradient of {names.get(id(parameter), "an unknown parameter")}'


def _is_bad(value) -> bool:
    return isinstance(value, Tensor) and not bool(torch.isfinite(value).all())


def _bad_activations(model: Any, data_batch) -> Iterator[str]:
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
        with torch.no_grad():
            data = model.data_preprocessor(data_batch, training=True)
            inputs = data['inputs']
            for name, value in inputs.items() if isinstance(inputs, dict) else ():
                if _is_bad(value):
                    found.insert(0, f'input {name}')
            model(**data, mode='loss')
    finally:
        for hook in hooks:
            hook.remove()
    yield from found
