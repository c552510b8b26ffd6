"""Samplers that compose batches and so have to know their size."""

import inspect

from mmengine.config import Config

from passreid.registry import DATA_SAMPLERS, type_of
from passreid.utils.config import dataloader_configs


def fill_batch_size(cfg: Config) -> None:
    """Tell samplers with a ``batch_size`` that of their data loader, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Raises:
        ValueError: When a sampler names another size than its data loader.
    """
    for loader in dataloader_configs(cfg):
        sampler = loader.get('sampler')
        kind = type_of(sampler, DATA_SAMPLERS)
        if 'batch_size' not in inspect.signature(kind).parameters:
            continue
        if sampler.setdefault('batch_size', loader.batch_size) != loader.batch_size:
            raise ValueError(
                f'{kind.__name__} has batch_size={sampler["batch_size"]}, its data loader '
                f'batch_size={loader.batch_size}: leave it out of the sampler'
            )
