"""The switch between full and mixed precision in a config."""

import inspect

from mmengine.config import Config

from passreid.registry import OPTIM_WRAPPERS


def enable_mixed_precision(cfg: Config) -> None:
    """Train a config with automatic mixed precision, in place.

    mmengine's ``OptimWrapper`` becomes its ``AmpOptimWrapper``; a wrapper with an ``amp``
    argument is given ``amp=True``.

    Args:
        cfg (Config): The config. It is changed.

    Raises:
        ValueError: When the optimiser wrapper of the config can do neither.
    """
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind in ('OptimWrapper', 'AmpOptimWrapper'):
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
        return
    found = OPTIM_WRAPPERS.get(kind) if isinstance(kind, str) else kind
    if found is None or 'amp' not in inspect.signature(found).parameters:
        raise ValueError(f'--amp: the optimiser wrapper {kind} has no mixed-precision form')
    wrapper.amp = True
