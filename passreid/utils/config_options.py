"""Overrides of config entries from a command line."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction

from .config import dataloader_configs, keys_read, suggestion


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
    """Give a program ``--cfg-options KEY=VALUE ...`` and ``--data-root DIR``.

    :func:`apply_config_options` puts them into the config.
    """
    parser.add_argument(
        '--data-root', metavar='DIR', help='folder of the data set, in place of that of the config'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help='override entries of the config, for example train_cfg.max_epochs=1 '
        "optim_wrapper.optimizer.lr=1e-3 'model.stages=[1,2]'",
    )


def apply_config_options(cfg: Config, args: argparse.Namespace) -> None:
    """Put the options of :func:`add_config_options` into a config, in place.

    Args:
        cfg (Config): The config. It is changed.
        args (argparse.Namespace): The parsed options.

    Raises:
        ValueError: When an option does not fit the config.
    """
    merge_options(cfg, args.cfg_options)
    if args.data_root:
        override_data_root(cfg, args.data_root)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Give a program what training and testing share; see :func:`apply_run_options`."""
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints (default: work_dirs/NAME)'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run; the scripts dist_*.sh and '
        'slurm_*.sh in tools/ set it (default: none)',
    )
    # Older launchers pass the rank as this option too; the environment has it in any case.
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)


def apply_run_options(cfg: Config, args: argparse.Namespace) -> None:
    """Put the options of :func:`add_run_options` into a config, in place.

    Args:
        cfg (Config): The config. It is changed.
        args (argparse.Namespace): The parsed options.

    Raises:
        ValueError: When an option does not fit the config.
    """
    apply_config_options(cfg, args)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir


def override_data_root(cfg: Config, data_root: str) -> None:
    """Let every data set of a config read from one folder, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.
        data_root (str): The folder.

    Raises:
        ValueError: When the config reads from several folders, or from none.
    """
    datasets = [loader.dataset for loader in dataloader_configs(cfg)]
    roots = {dataset.get('data_root') for dataset in datasets}
    if len(roots) != 1 or None in roots:
        raise ValueError(
            f'--data-root {data_root} does not say which data set is meant, since the config '
            'reads from several. Use --cfg-options, for example '
            'train_dataloader.dataset.datasets.0.data_root=DIR'
        )
    for dataset in datasets:
        dataset.data_root = data_root


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
    read = keys_read()
    for key in options:
        first = key.split('.')[0]
        if first in read:
            continue
        if first not in cfg:
            hint = suggestion(first, {*read, *cfg})
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
