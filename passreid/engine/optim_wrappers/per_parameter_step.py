"""Optimiser steps that clip each parameter by itself where the config says so."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

_CLIP_TYPES = ('norm', 'value', 'per_parameter')


class PerParameterStep:
    """Mixin for optimiser wrappers: clip each gradient by itself, without a sync.

    ``clip_grad=dict(type='per_parameter', max_norm=3.0)`` scales every gradient
    whose own norm is above 3 down to 3; ``norm_type`` chooses another norm than
    the Euclidean one. On a CPU such a step does nothing when gradients are not
    finite. The other types, ``'norm'`` (of all gradients together, the default)
    and ``'value'``, are mmengine's. Parameters named by :meth:`skip` take no part
    in a step: their gradients become None, so that neither moments nor weight
    decay touch them.

    Args:
        *args: Of the wrapper.
        clip_grad (dict, optional): How to clip. Defaults to None: not at all.
        **kwargs: Of the wrapper.

    Raises:
        ValueError: When the type or an argument of ``clip_grad`` is not known.
    """

    optimizer: torch.optim.Optimizer
    clip_func: Any
    _skipped: tuple[nn.Parameter, ...] = ()
    _norms: Tensor | None = None

    def __init__(self, *args, clip_grad: dict | None = None, **kwargs) -> None:
        options = dict(clip_grad or {})
        kind = options.get('type', 'norm')
        if kind not in _CLIP_TYPES:
            raise ValueError(f'clip_grad.type={kind!r} is none of {", ".join(_CLIP_TYPES)}')
        if kind == 'per_parameter':
            options['type'] = 'norm'
        super().__init__(*args, clip_grad=options or None, **kwargs)  # type: ignore[call-arg]
        if kind == 'per_parameter':
            self.clip_func = self._clip_each
        if clip_grad:
            # mmengine has taken the type out, and would find a mistake in the first step.
            try:
                signature(self.clip_func).bind([], **options)
            except TypeError as error:
                known = list(signature(self.clip_func).parameters)[1:]
                raise ValueError(
                    f'clip_grad={clip_grad}: {error}; type={kind!r} takes {", ".join(known)}'
                ) from None

    def skip(self, parameters: Iterable[nn.Parameter]) -> None:
        """Leave these parameters alone from now on; an empty list ends it."""
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

    def _clip_each(
        self, parameters: list[nn.Parameter], max_norm: float, norm_type: float = 2.0
    ) -> None:
        grads: Any = [parameter.grad for parameter in parameters]
        self._clipped, self._norms = parameters, torch.stack(torch._foreach_norm(grads, norm_type))
        if self._norms.device.type == 'cpu' and not self._norms.isfinite().all():
            # Looking is free here, and the guard then finds the weights as they were.
            self.optimizer.zero_grad()
            return
        scales = (max_norm / (self._norms + 1e-6)).clamp_(max=1)
        torch._foreach_mul_(grads, scales.unbind())


class PerParameterOptimWrapper(PerParameterStep, OptimWrapper):
    """Wrapper for float32, and for bfloat16 autocast on any device.

    Args:
        *args: Of :class:`mmengine.optim.OptimWrapper`.
        autocast_dtype (torch.dtype, optional): Forward under autocast with this
            type; bfloat16 needs no loss scaling.
        **kwargs: Of :class:`mmengine.optim.OptimWrapper`.
    """

    def __init__(self, *args, autocast_dtype: torch.dtype | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.autocast_dtype = autocast_dtype
        self._device_type = self.optimizer.param_groups[0]['params'][0].device.type

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of the forward pass: accumulation as in mmengine, and autocast."""
        enabled = self.autocast_dtype is not None
        autocast = torch.autocast(self._device_type, self.autocast_dtype, enabled)
        with super().optim_context(model), autocast:
            yield


class AmpPerParameterOptimWrapper(PerParameterStep, AmpOptimWrapper):
    """Wrapper for float16 autocast with loss scaling on a GPU."""
