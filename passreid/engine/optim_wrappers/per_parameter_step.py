"""Optimiser steps with clipping of each parameter by itself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn


class PerParameterStep:
    """Mixin for optimiser wrappers: clip each gradient by itself, without a sync.

    ``clip_grad=dict(max_norm=3.0)`` scales every gradient whose own norm is
    above 3 down to 3. Parameters named by :meth:`skip` take no part in a step:
    their gradients become None, so that neither moments nor weight decay touch
    them. On a CPU a step whose gradients are not finite does nothing.
    """

    optimizer: torch.optim.Optimizer
    clip_grad_kwargs: dict | None
    _skipped: tuple[nn.Parameter, ...] = ()
    _norms: Tensor | None = None

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

    def _clip_grad(self) -> None:
        groups = self.optimizer.param_groups
        self._clipped = [p for group in groups for p in group['params'] if p.grad is not None]
        if not self._clipped:
            return
        assert self.clip_grad_kwargs is not None
        grads = [p.grad for p in self._clipped]
        self._norms = torch.stack(torch._foreach_norm(grads))
        if self._norms.device.type == 'cpu' and not self._norms.isfinite().all():
            # Looking is free here, and the guard then finds the weights as they were.
            self.optimizer.zero_grad()
            return
        scales = (self.clip_grad_kwargs['max_norm'] / (self._norms + 1e-6)).clamp_(max=1)
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
