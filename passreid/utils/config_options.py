"""Overrides of config entries from a command line."""

import argparse
import ast
import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, DictAction

from passreid.registry import REGISTRIES, type_of

from .config import ENTRIES_READ, dataloader_configs, misspelt

_WORDS = {'on': True, 'yes': True, 'off': False, 'no': False, 'none': None}


class ConfigOptions(DictAction):
    """Parse ``KEY=VALUE`` arguments as mmengine does, and ``dict(...)`` and yes or no as well."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the parsed options; see :class:`argparse.Action`."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, SyntaxError, ValueError) as error:
            parser.error(f'{option_string} {" ".join(values)}: expected is KEY=VALUE ({error})')

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        if val.startswith(('dict(', '[dict(')):
            return _literal(ast.parse(val, mode='eval').body, val)
        return _WORDS.get(val.lower(), DictAction._parse_iterable(val))


def _literal(node: ast.expr, text: str) -> Any:
    """Read what :func:`ast.literal_eval` reads, calls of dict, and words without quotes."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        return {str(entry.arg): _literal(entry.value, text) for entry in node.keywords}
    if isinstance(node, ast.List):
        return [_literal(entry, text) for entry in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ConfigOptions._parse_iterable(ast.get_source_segment(text, node) or '')


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
    """Put the options of :func:`add_config_options` into a config, in place."""
    merge_options(cfg, args.cfg_options)
    if args.data_root:
        datasets = [loader.dataset for loader in dataloader_configs(cfg)]
        roots = {dataset.get('data_root') for dataset in datasets}
        if len(roots) != 1 or None in roots:
            raise ValueError(
                f'--data-root {args.data_root} does not say which data set is meant, since the '
                'config reads from several. Use --cfg-options, for example '
                'train_dataloader.dataset.datasets.0.data_root=DIR'
            )
        for dataset in datasets:
            dataset.data_root = args.data_root


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
    """Put the options of :func:`add_run_options` into a config, in place."""
    apply_config_options(cfg, args)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir


def merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Override entries of a config, in place.

    Where a list stands, or is the default of the class, one value is a list of one.

    Args:
        cfg (Config): The config. It is changed.
        options (dict[str, Any]): Values by dotted key; a number selects from a list.

    Raises:
        ValueError: When a key leads nowhere, or to a variable whose value the config has
            used already: mmengine would take it and nothing would change.
    """
    for key, value in options.items():
        *path, name = key.split('.')
        first = (*path, name)[0]
        if first not in ENTRIES_READ:
            meant = f'; did you mean {near!r}?' if (near := misspelt([first]).get(first)) else ''
            raise ValueError(
                f'--cfg-options {key}: a run reads no entry {first!r}{meant} (variables of a '
                'config file have been used by now)'
            )
        try:
            holder: Any = cfg
            for part in path:
                several = isinstance(holder, list | tuple)
                holder = holder[int(part)] if several else holder.get(part, {})
            usual = _usual(holder, name)
            # In place of a pair, mmcv and mmpretrain take one number for both.
            several = isinstance(usual, list) or (isinstance(usual, tuple) and len(usual) != 2)
            if several and isinstance(value, str | int | float):
                value = type(usual)([value])
            if isinstance(value, dict) and name in holder and not isinstance(usual, dict):
                value = dict(value, _delete_=True)  # Else mmengine refuses to replace another type.
            cfg.merge_from_dict({key: value})
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from error


def _usual(holder: Any, name: str) -> Any:
    """Return what stands in a part of a config, else the default of the class that it names."""
    if isinstance(holder, Mapping | Config) and name in holder:
        return holder[name]
    parameter = inspect.signature(type_of(holder, *REGISTRIES)).parameters.get(name)
    return None if parameter is None else parameter.default
