"""Values of a config that would go wrong far from where they are written."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from .config_error import ConfigError

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Name of a number and the least that it may be.
_OF_LOADERS = {'batch_size': 1, 'num_workers': 0}
_OF_TRAINING = {'max_epochs': 1, 'max_iters': 1, 'val_interval': 1}


def check_values(cfg: Config) -> None:
    """Make sure that data loaders and training are described as mmengine expects.

    Args:
        cfg (Config): The config of a runner.

    Raises:
        ConfigError: When an entry is of another kind or a number too small; names it.
    """
    if problem := next(_problems(cfg), None):
        raise ConfigError(f'{cfg.filename or "the config"}: {problem}')


def _problems(cfg: Config) -> Iterator[str]:
    for name in _LOADERS:
        loader = cfg.get(name)
        several = name == 'test_dataloader' and isinstance(loader, list | tuple)
        for place, one in (
            ((f'{name}.{i}', entry) for i, entry in enumerate(loader))
            if several
            else [(name, loader)]
        ):
            if isinstance(one, Mapping):
                yield from _loader_problems(place, one)
            elif one is not None and (several or isinstance(one, str | list | tuple | int | float)):
                yield f'{place} is {one!r}, but must be a dict'
    if isinstance(training := cfg.get('train_cfg'), Mapping):
        yield from _numbers('train_cfg', training, _OF_TRAINING)


def _loader_problems(place: str, loader: Mapping[str, Any]) -> Iterator[str]:
    if 'dataset' not in loader:
        yield f'{place} has no dataset'
    elif isinstance(loader['dataset'], str | list | tuple | int | float | None):
        yield f'{place}.dataset is {loader["dataset"]!r}, but must be a dict with a type'
    yield from _numbers(place, loader, _OF_LOADERS)


def _numbers(place: str, entry: Mapping[str, Any], least: Mapping[str, int]) -> Iterator[str]:
    for name, low in least.items():
        value = entry.get(name, low)
        if value is not None and (not isinstance(value, int) or value < low):
            yield f'{place}.{name} is {value!r}, but must be a whole number from {low}'
