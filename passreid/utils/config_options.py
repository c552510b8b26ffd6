"""Overrides of config entries from a command line."""

import argparse
import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from mmengine.config import Config, DictAction

from .config import (
    SWITCH_WORDS,
    dataloader_configs,
    keys_read,
    parameter_of,
    read_switch,
    suggestion,
)


class ConfigOptions(DictAction):
    """Parse ``KEY=VALUE`` arguments as mmengine does, and ``dict(...)`` or ``{...}`` as well."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the parsed options; see :class:`argparse.Action`."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for option in [values] if isinstance(values, str) else values or []:
            key, equals, text = option.partition('=')
            if not (key and equals):
                parser.error(f'{option_string}: {option!r} is not of the form KEY=VALUE')
            try:
                options[key] = _parse(text)
            except (AssertionError, SyntaxError) as error:
                parser.error(f'{option_string}: {option!r} cannot be read: {error}')
        setattr(namespace, self.dest, options)


def _parse(text: str) -> Any:
    """Read a value; nothing in it is run."""
    if 'dict(' not in text and '{' not in text:
        return DictAction._parse_iterable(text)
    return _value(ast.parse(text.strip(), mode='eval').body, text.strip())


def _value(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict' and not node.args:
        return {str(entry.arg): _value(entry.value, text) for entry in node.keywords}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(key, text): _value(value, text) for key, value in pairs if key}
    if isinstance(node, ast.List | ast.Tuple):
        return (list if isinstance(node, ast.List) else tuple)(_value(n, text) for n in node.elts)
    if isinstance(node, ast.Constant):
        return node.value
    # Words need no quotes: this is what mmengine makes of them elsewhere.
    return DictAction._parse_iterable(ast.get_source_segment(text, node) or '')


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

    What stands in the config, else the default of the class, says what is wanted: where it is True
    or False, words such as yes and off are; where it is a list, one value is a list of one.

    Args:
        cfg (Config): The config. It is changed.
        options (dict[str, Any]): Values by dotted key; a number selects from a list.

    Raises:
        ValueError: When a key leads nowhere, or to a variable whose value the config has
            used already: mmengine would take it and nothing would change. When another word stands
            where True or False is wanted.
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
        *path, _ = key.split('.')
        holder: Any = cfg
        try:
            for part in path:
                several = isinstance(holder, list | tuple)
                holder = holder[int(part)] if several else holder.get(part, {})
            cfg.merge_from_dict({key: _fitted(holder, key, value)})
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from error


def _fitted(holder: Any, key: str, value: Any) -> Any:
    """Return a value as an entry wants it, judged by what stands there or is the default."""
    name = key.rpartition('.')[2]
    parameter = parameter_of(holder, name)
    known = name in holder if isinstance(holder, Mapping | Config) else False
    usual = holder[name] if known else parameter.default
    if isinstance(value, dict):
        inner = usual if isinstance(usual, Mapping) else {'type': value.get('type')}
        value = {k: _fitted(inner, f'{key}.{k}', v) for k, v in value.items()}
        # Else mmengine refuses to put a dict in the place of something else.
        return value if inner is usual or not known else dict(value, _delete_=True)
    if isinstance(value, list | tuple):
        return type(value)(_fitted({}, key, v) if isinstance(v, dict) else v for v in value)
    if isinstance(value, str) and not isinstance(usual, str):
        # What stands at the top is judged by `read_switches`.
        if isinstance(usual, bool) and name != key and str not in get_args(parameter.annotation):
            return read_switch(key, value)
        value = SWITCH_WORDS.get(value.lower(), value)
    elif isinstance(value, str) and bool in get_args(parameter.annotation):
        value = SWITCH_WORDS.get(value.lower(), value)
    # In place of a pair, mmcv and mmpretrain take one number for both.
    several = isinstance(usual, list) or (isinstance(usual, tuple) and len(usual) != 2)
    if several and isinstance(value, str | int | float) and not isinstance(value, bool):
        return type(usual)([value])
    return value


def _places(value: Any, node: Any, path: str = '') -> Iterator[str]:
    """Yield the dotted keys below ``node`` that hold ``value``."""
    if path and type(node) is type(value) and node == value:
        yield path
    elif isinstance(node, Mapping | list | tuple):
        children = node.items() if isinstance(node, Mapping) else enumerate(node)
        for key, child in children:
            yield from _places(value, child, f'{path}.{key}' if path else str(key))
