"""Optimizer wrappers: mixed precision by device, clipping by parameter, and few groups."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, DefaultOptimWrapperConstructor, OptimWrapper
from torch import Tensor, nn

from passreid.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS

_DTYPES = {None: None, False: None, True: 'float16', 'float16': 'float16', 'bfloat16': 'bfloat16'}


class PerParameterClip:
    """Mixin for optimizer wrappers: clip each gradient by itself, without a sync.

    ``clip_grad=dict(type='per_parameter', max_norm=3.0)`` scales every gradient whose own norm is
    above 3 down to 3; ``norm_type`` chooses another norm than the Euclidean one. On a CPU such a
    step does nothing when gradients are not finite. The other types, ``'norm'`` (of all gradients
    together, the default) and ``'value'``, are mmengine's.

    Args:
        *args: Of the wrapper.
        clip_grad (dict, optional): How to clip. Defaults to None: not at all.
        **kwargs: Of the wrapper.
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
        """Give these parameters no gradient from now on; an empty list ends it.

        Their gradients become None, so that neither moments nor weight decay touch them.
        """
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
            # Looking is free here, and NonFiniteHook then finds the weights as they were.
            self.optimizer.zero_grad()
            return
        scales = (max_norm / (self._norms + 1e-6)).clamp_(max=1)
        torch._foreach_mul_(grads, scales.unbind())


class PerParameterOptimWrapper(PerParameterClip, OptimWrapper):
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


class AmpPerParameterOptimWrapper(PerParameterClip, AmpOptimWrapper):
    """Wrapper for float16 autocast with loss scaling on a GPU."""


@OPTIM_WRAPPERS.register_module()
def AutoAmpOptimWrapper(  # noqa: N802  (a type of the registry)
    optimizer: torch.optim.Optimizer, amp: str | bool | None = None, **kwargs
) -> OptimWrapper:
    """Build the optimizer wrapper for the device that the parameters are on.

    One config serves every device: float16 needs a GPU and becomes float32 on a CPU, with a
    warning; bfloat16 works on both.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        amp (str | bool, optional): ``'float16'`` (or True), ``'bfloat16'``, or None (or False) for
            float32.
        **kwargs: Of :class:`mmengine.optim.OptimWrapper`, such as ``accumulative_counts`` and
            ``clip_grad``, for which there is also :class:`PerParameterClip`.

    Returns:
        OptimWrapper: The wrapper.

    Raises:
        ValueError: When ``amp`` is something else.
    """
    if amp not in _DTYPES:
        raise ValueError(f'amp must be one of {list(_DTYPES)}, not {amp!r}')
    amp = _DTYPES[amp]
    device = optimizer.param_groups[0]['params'][0].device
    if amp == 'float16' and device.type == 'cuda':
        return AmpPerParameterOptimWrapper(
            optimizer=optimizer, dtype=amp, loss_scale='dynamic', **kwargs
        )
    if amp == 'float16':
        print_log(
            f'amp="float16" needs a GPU: training in float32 on {device.type}; '
            'amp="bfloat16" works there too',
            logger='current',
            level=30,
        )
    autocast_dtype = torch.bfloat16 if amp == 'bfloat16' else None
    return PerParameterOptimWrapper(optimizer=optimizer, autocast_dtype=autocast_dtype, **kwargs)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Like mmengine's default, with one group for all parameters treated alike.

    The default makes one group for each parameter, which keeps foreach and fused optimizers from
    working on many parameters at once. Parameters without gradient are left out. One that several
    modules share enters once; where they have other options for it, ``bypass_duplicate`` chooses
    the first.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model and log its groups."""
        wrapper = super().__call__(model)
        for group in wrapper.optimizer.param_groups:
            options = {key: group[key] for key in ('lr', 'weight_decay') if key in group}
            print_log(f'{len(group["params"])} parameters with {options}', logger='current')
        return wrapper

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs) -> None:
        """Collect the groups of a module and of those inside it, in place; see mmengine."""
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return
        super().add_params(params, module, prefix, **kwargs)
        if prefix:
            return
        groups: dict[str, dict] = {}
        for group in params:
            options = {key: value for key, value in group.items() if key != 'params'}
            alike = groups.setdefault(str(sorted(options.items())), {'params': [], **options})
            alike['params'] += group['params']
        for group in groups.values():
            # Of several modules with one parameter each has named it.
            group['params'] = list(dict.fromkeys(group['params']))
        params[:] = groups.values()
