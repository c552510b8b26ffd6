"""The number of classes, read from the training data."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger

from passreid.models import ReIDHead
from passreid.registry import DATASETS, MODELS, type_of


def fill_num_classes(cfg: Config) -> list[str]:
    """Set ``num_classes`` of heads that leave it out to the ids of the train set, in place.

    An explicit None stays: such a head has no classifier.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What was set, one sentence each.

    Raises:
        TypeError: When the train set does not know its ids.
    """
    heads = [head for head in find_heads(cfg.get('model')) if 'num_classes' not in head]
    dataloader = cfg.get('train_dataloader')
    if not (heads and isinstance(dataloader, dict)):
        return []
    with _quiet():
        dataset = DATASETS.build(dataloader['dataset'])
    if not hasattr(dataset, 'num_ids'):
        raise TypeError(
            f'{type(dataset).__name__} has no `num_ids` to size the classifier by: set '
            'model.head.num_classes'
        )
    num_ids = dataset.num_ids
    for head in heads:
        head['num_classes'] = num_ids
    return [f'The classifier has {num_ids} classes, the ids of the train set.']


def find_heads(node: Any) -> Iterator[ConfigDict]:
    """Yield the configs of ReID heads below a node of a config.

    Args:
        node (Any): A config, or a part of one.
    """
    if isinstance(node, dict):
        if issubclass(type_of(node, MODELS), ReIDHead):
            yield node
        for child in node.values():
            yield from find_heads(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from find_heads(child)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave what a data set has to say to the log of the run, where it is built again."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
