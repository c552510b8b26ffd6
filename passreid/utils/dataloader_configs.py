"""The data loaders of a config."""

from collections.abc import Iterator

from mmengine.config import Config, ConfigDict


def dataloader_configs(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the configs of all data loaders, those of several test sets one by one.

    Args:
        cfg (Config): The config of a runner.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loaders = cfg.get(name) or []
        yield from loaders if isinstance(loaders, list | tuple) else [loaders]
