"""Mixed precision by device, clipping by parameter, few groups of parameters, and a schedule."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.optim.scheduler import _ParamScheduler
from torch import Tensor, nn

from passreid.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, PARAM_SCHEDULERS


class PerParameterClip:
    """Mixin for optimizer wrappers: clip each gradient by itself, without a sync.

    ``clip_grad=dict(type='per_parameter', max_norm=3.0)`` scales every gradient whose own norm is
    above 3 down to 3. On a CPU such a step does nothing when gradients are not finite. The other
    types, ``'norm'`` (of all gradients together, the default) and ``'value'``, are mmengine's.
    """

    optimizer: torch.optim.Optimizer
    clip_func: Any
    _skipped: tuple[nn.Parameter, ...] = ()
    _norms: Tensor | None = None

    def __init__(self, *args, clip_grad: dict | None = None, **kwargs) -> None:
        options = dict(clip_grad or {})
        per_parameter = options.get('type') == 'per_parameter'
        if per_parameter:
            options['type'] = 'norm'
        super().__init__(*args, clip_grad=options or None, **kwargs)  # type: ignore[call-arg]
        if per_parameter:
            self.clip_func = self._clip_each

    def skip(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give these parameters no gradient, not even decay, from now on; none ends it."""
        self._skipped = tuple(parameters)

    @property
    def gradient_norms(self) -> tuple[list[nn.Parameter], Tensor] | None:
        """Parameters and norms ``(P,)`` of their gradients before the last clipping."""
        return None if self._norms is None else (self._clipped, self._norms)

    def step(self, **kwargs) -> None:
        """Step without the skipped parameters."""
        for parameter in self._skipped:
            parameter.grad = None
        super().step(**kwargs)  # type: ignore[misc]

    def _clip_each(self, parameters: list[nn.Parameter], max_norm: float) -> None:
        grads: Any = [parameter.grad for parameter in parameters]
        self._clipped, self._norms = parameters, torch.stack(torch._foreach_norm(grads))
        if self._norms.device.type == 'cpu' and not self._norms.isfinite().all():
            # Looking is free here, and NonFiniteHook then finds the weights as they were.
            self.optimizer.zero_grad()
            return
        scales = (max_norm / (self._norms + 1e-6)).clamp_(max=1)
        torch._foreach_mul_(grads, scales.unbind())


class PerParameterOptimWrapper(PerParameterClip, OptimWrapper):
    """Wrapper for float32, and for ``bfloat16`` autocast, which needs no loss scaling."""

    def __init__(self, *args, bfloat16: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        device = self.optimizer.param_groups[0]['params'][0].device.type
        self._autocast = partial(torch.autocast, device, torch.bfloat16, bfloat16)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass: accumulation as in mmengine, and autocast."""
        with super().optim_context(model), self._autocast():
            yield


class AmpPerParameterOptimWrapper(PerParameterClip, AmpOptimWrapper):
    """Wrapper for float16 autocast with loss scaling on a GPU."""


@OPTIM_WRAPPERS.register_module()
def AutoAmpOptimWrapper(  # noqa: N802  (a type of the registry)
    optimizer: torch.optim.Optimizer, amp: str | bool | None = None, **kwargs
) -> OptimWrapper:
    """Build the optimizer wrapper for the device that the parameters are on.

    ``amp`` is 'float16' (or True), which becomes float32 on a CPU, with a warning; 'bfloat16'; or
    None (or False) for float32. ``clip_grad`` may be that of :class:`PerParameterClip`.
    """
    if amp not in (None, True, False, 'float16', 'bfloat16'):
        raise ValueError(f"amp must be 'float16', 'bfloat16' or None, not {amp!r}")
    if amp in (True, 'float16'):
        if optimizer.param_groups[0]['params'][0].is_cuda:
            return AmpPerParameterOptimWrapper(
                optimizer=optimizer, dtype='float16', loss_scale='dynamic', **kwargs
            )
        MMLogger.get_current_instance().warning(
            "amp='float16' needs a GPU: training in float32; amp='bfloat16' works here too"
        )
    return PerParameterOptimWrapper(optimizer=optimizer, bfloat16=amp == 'bfloat16', **kwargs)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Like mmengine's default, with one group for all parameters treated alike.

    So foreach and fused optimizers work on many at once. Parameters without gradient are left out.
    One that several modules share enters once; should they treat it in different ways,
    ``bypass_duplicate`` chooses the first.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs) -> None:
        """Collect the groups of a module and of those inside it, in place; see mmengine."""
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return
        super().add_params(params, module, prefix, **kwargs)
        if prefix:
            return
        groups: dict[str, dict] = {}
        for group in params:
            own = group.pop('params')
            alike = groups.setdefault(str(sorted(group.items())), group | {'params': []})
            alike['params'] += own
        for group in groups.values():
            # Of several modules with one parameter each has named it.
            group['params'] = list(dict.fromkeys(group['params']))
        params[:] = groups.values()


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(_ParamScheduler):
    """Linear warm-up into a cosine that has been running since the start.

    With the rate ``r`` of a parameter group, the rate ``b`` of the first group, and
    ``t`` epochs (or iterations) done::

        t < warmup    start_factor * b + t / warmup * (r - start_factor * b)
        then          end_factor * b + (r - end_factor * b) * (1 + cos(pi t / T_max)) / 2

    Both ends are the same for all groups, as in the released recipe of `PASS
    <https://arxiv.org/abs/2203.03931>`_. mmengine's schedules scale each group by itself and start
    the cosine after the warm-up.
    """

    def __init__(
        self,
        optimizer,
        T_max: int,  # noqa: N803  (mmengine's name)
        warmup: int = 0,
        start_factor: float = 0.01,
        end_factor: float = 0.002,
        **kwargs,
    ) -> None:
        self.T_max = T_max
        self.warmup = warmup
        self.start_factor = start_factor
        self.end_factor = end_factor
        super().__init__(optimizer, param_name='lr', **kwargs)

    def _get_value(self) -> list[float]:
        step = min(self.last_step, self.T_max)
        if step < self.warmup:
            edge, share = self.start_factor * self.base_values[0], step / self.warmup
        else:
            edge = self.end_factor * self.base_values[0]
            share = (1 + math.cos(math.pi * step / self.T_max)) / 2
        return [edge + share * (rate - edge) for rate in self.base_values]
