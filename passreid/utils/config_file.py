"""Reading of config files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config
from mmengine.fileio.handlers import YamlHandler
from mmengine.fileio.io import file_handlers

from .config_error import ConfigError


def read_config(path: str | Path) -> Config:
    """Read a config file and those that it inherits from.

    A Python config is a program and is run, so it has to come from someone who is trusted. JSON
    and YAML are data: mmengine would run what the tags of a YAML file ask for, here they are
    refused.

    Args:
        path (str | Path): The file.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: When the file or one that it inherits from is not there.
        ConfigError: When it cannot be read; names the file and says why.
    """
    try:
        with _plain_yaml():
            cfg = Config.fromfile(path)
    except FileNotFoundError as error:
        missing = error.filename or error
        raise FileNotFoundError(
            f'{path} cannot be read: {missing} is not there, which it inherits from or imports'
        ) from error
    except RecursionError:
        raise ConfigError(f'{path} cannot be read: by _base_ it inherits from itself') from None
    # A config is a program: it may raise anything.
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'
        raise ConfigError(f'the config {path} cannot be read: {reason}') from error
    return cfg


class _PlainLoader(yaml.SafeLoader):
    """Builds lists, dicts, strings and numbers, and the tuples that mmengine writes."""


_PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),  # type: ignore[arg-type]
)


class _PlainYaml(YamlHandler):
    def load_from_fileobj(self, file: Any, **kwargs) -> Any:
        return yaml.load(file, Loader=_PlainLoader)


@contextmanager
def _plain_yaml() -> Iterator[None]:
    """Let mmengine read YAML files without running anything."""
    before = dict(file_handlers)
    file_handlers.update(yaml=_PlainYaml(), yml=_PlainYaml())
    try:
        yield
    finally:
        file_handlers.update(before)
