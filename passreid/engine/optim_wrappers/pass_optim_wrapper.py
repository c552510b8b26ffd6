"""Optimiser wrapper that fits the device."""

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper

from passreid.registry import OPTIM_WRAPPERS

from .per_parameter_step import AmpPerParameterOptimWrapper, PerParameterOptimWrapper

_DTYPES = {None: None, False: None, True: 'float16', 'float16': 'float16', 'bfloat16': 'bfloat16'}


@OPTIM_WRAPPERS.register_module()
def PASSOptimWrapper(  # noqa: N802  (a type of the registry)
    optimizer: torch.optim.Optimizer, amp: str | bool | None = None, **kwargs
) -> OptimWrapper:
    """Build the optimiser wrapper for the device that the parameters are on.

    One config serves every device: float16 needs a GPU and becomes float32 on a
    CPU, with a warning; bfloat16 works on both.

    Args:
        optimizer (torch.optim.Optimizer): The optimiser.
        amp (str | bool, optional): ``'float16'`` (or True), ``'bfloat16'``, or None
            (or False) for float32.
        **kwargs: Of :class:`mmengine.optim.OptimWrapper`, such as
            ``accumulative_counts`` and ``clip_grad=dict(max_norm=...)``; besides its ways to
            clip there is ``clip_grad=dict(type='per_parameter', max_norm=...)``, which clips the
            gradient of each parameter by itself.

    Returns:
        OptimWrapper: The wrapper.
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
