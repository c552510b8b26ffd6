"""Overrides of config entries from a command line."""

import argparse
import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

# Read from the config by the Runner, besides the arguments of its constructor.
_MORE_KEYS = (
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)


class ConfigOptions(DictAction):
    """Parse ``KEY=VALUE`` arguments as mmengine does, with an error that can be read."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the parsed options; see :class:`argparse.Action`."""
        for option in [values] if isinstance(values, str) else values or []:
            key, equals, _ = option.partition('=')
            if not (key and equals):
                parser.error(f'{option_string}: {option!r} is not of the form KEY=VALUE')
        super().__call__(parser, namespace, values, option_string)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Give a program the option ``--cfg-options KEY=VALUE ...``, read by :func:`merge_options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help='override entries of the config, for example train_cfg.max_epochs=1 '
        "optim_wrapper.optimizer.lr=1e-3 'model.stages=[1,2]'",
    )


def merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Override entries of a config, in place.

    Args:
        cfg (Config): The config. It is changed.
        options (dict[str, Any]): Values by dotted key; a number selects from a list.

    Raises:
        ValueError: When a key leads nowhere, or to a variable whose value the config has
            used already: mmengine would take it and nothing would change.
    """
    entries = cfg.to_dict()
    read = {*inspect.signature(Runner.__init__).parameters, *_MORE_KEYS}
    for key in options:
        first = key.split('.')[0]
        if first in read:
            continue
        if first not in cfg:
            close = difflib.get_close_matches(first, {*read, *cfg}, n=1)
            hint = f'; did you mean {close[0]!r}?' if close else ''
            raise ValueError(f'--cfg-options {key}: the config has no entry {first!r}{hint}')
        used = [path for path in _places(entries[first], entries) if path.split('.')[0] in read]
        if used:
            raise ValueError(
                f'--cfg-options {key}: {first!r} is a variable of the config file, whose value '
                f'has been used by now. Override the places instead: {", ".join(used)}'
            )
    for key, value in options.items():
        try:
            cfg.merge_from_dict({key: value})
        except (AssertionError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from error


def _places(value: Any, node: Any, path: str = '') -> Iterator[str]:
    """Yield the dotted keys below ``node`` that hold ``value``."""
    if path and type(node) is type(value) and node == value:
        yield path
    elif isinstance(node, Mapping | list | tuple):
        children = node.items() if isinstance(node, Mapping) else enumerate(node)
        for key, child in children:
            yield from _places(value, child, f'{path}.{key}' if path else str(key))
