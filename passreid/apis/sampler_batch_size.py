"""The batch size of samplers that need to know it."""

import inspect
from typing import Any

from mmengine.config import Config

from passreid.registry import DATA_SAMPLERS

_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def fill_sampler_batch_sizes(cfg: Config) -> None:
    """Give samplers that take a ``batch_size`` that of their data loader, in place.

    mmengine passes data set and seed only, and a second figure beside the data loader's would
    have to follow every change of the first.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Raises:
        ValueError: When a sampler was given another batch size than its data loader.

    Examples:
        >>> loader = dict(batch_size=64, sampler=dict(type='IdentitySampler', images_per_id=4))
        >>> cfg = Config(dict(train_dataloader=loader))
        >>> fill_sampler_batch_sizes(cfg)
        >>> cfg.train_dataloader.sampler.batch_size
        64
    """
    for name in _DATALOADERS:
        loaders = cfg.get(name) or []
        for loader in loaders if isinstance(loader, list | tuple) else [loader]:
            sampler = loader.get('sampler') if isinstance(loader, dict) else None
            if isinstance(sampler, dict) and _takes_batch_size(sampler.get('type')):
                _fill(name, loader, sampler)


def _takes_batch_size(kind: Any) -> bool:
    sampler_type = DATA_SAMPLERS.get(kind) if isinstance(kind, str) else kind
    return callable(sampler_type) and 'batch_size' in inspect.signature(sampler_type).parameters


def _fill(name: str, loader: dict, sampler: dict) -> None:
    batch_size = loader.get('batch_size')
    given = sampler.get('batch_size')
    if given is not None and given != batch_size:
        raise ValueError(
            f'{name}.sampler.batch_size={given} differs from {name}.batch_size={batch_size}: '
            'leave the first out, it follows the second'
        )
    sampler['batch_size'] = batch_size
