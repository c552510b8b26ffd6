"""The switch between full and mixed precision in a config."""

import inspect
from collections.abc import Iterator

from mmengine.config import Config, ConfigDict
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from passreid.registry import OPTIM_WRAPPERS, type_of


def enable_mixed_precision(cfg: Config) -> None:
    """Train a config with automatic mixed precision, in place.

    mmengine's ``OptimWrapper`` becomes its ``AmpOptimWrapper``; a wrapper with an ``amp``
    argument is given ``amp=True`` unless it has chosen a type.

    Args:
        cfg (Config): The config. It is changed.

    Raises:
        ValueError: When the optimiser wrapper of the config can do neither.
    """
    wrapper = cfg.optim_wrapper
    kind = type_of(wrapper, OPTIM_WRAPPERS)
    if 'type' not in wrapper or kind in (OptimWrapper, AmpOptimWrapper):
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
        return
    if 'amp' not in inspect.signature(kind).parameters:
        raise ValueError(f'--amp: optim_wrapper.type={wrapper.type} has no mixed-precision form')
    wrapper.amp = wrapper.get('amp') or True


def disable_mixed_precision(cfg: Config) -> bool:
    """Replace mmengine's ``AmpOptimWrapper``, which asserts a GPU, by its fp32 form, in place.

    The states of both are interchangeable, so a run may move between machines.

    Args:
        cfg (Config): The config. It is changed.

    Returns:
        bool: Whether there was anything to replace.
    """
    if not isinstance(cfg.get('optim_wrapper'), dict):
        return False
    mixed = [
        wrapper
        for wrapper in _nested_dicts(cfg.optim_wrapper)
        if type_of(wrapper, OPTIM_WRAPPERS) is AmpOptimWrapper
    ]
    for wrapper in mixed:
        wrapper.type = 'OptimWrapper'
        for option in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(option, None)
    return bool(mixed)


def _nested_dicts(node: ConfigDict) -> Iterator[ConfigDict]:
    """Yield a wrapper's config and those inside it, one for each of several optimisers."""
    yield node
    for child in node.values():
        if isinstance(child, dict):
            yield from _nested_dicts(child)
