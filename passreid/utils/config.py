"""The configs that come with passreid, and what a run reads of a config and of a command line."""

import argparse
import difflib
import inspect
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.runner import Runner
from mmpretrain.apis import ModelHub

# What a run reads at the top of a config: by arguments of mmengine's Runner, and elsewhere.
ENTRIES_READ = {
    *inspect.signature(Runner).parameters,
    *('compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'runner_type', 'sync_bn', 'tensorboard'),
}


def config_path(name: str = '') -> Path:
    """Return the path of a config that comes with the package, of a checkout or a wheel.

    Args:
        name (str): Path below ``configs/``, such as ``'pass/pass_vit-s16_lup.py'``. Defaults to
            '', which means the folder itself.

    Raises:
        FileNotFoundError: When there is no such config; names those there are.
    """
    package = Path(__file__).parents[1]
    folders = (package / '.mim' / 'configs', package.parent / 'configs')
    # A checkout is known by its base configs: any folder may have a `configs` beside it.
    root = next((folder for folder in folders if (folder / '_base_').is_dir()), folders[0])
    if not (root / name).exists():
        leaves = (path.relative_to(root) for path in root.rglob('*.py'))
        known = sorted(str(leaf) for leaf in leaves if '_base_' not in leaf.parts)
        raise FileNotFoundError(f'there is no config {name!r} in {root}; there are: {known}')
    return root / name


def register_model_zoo() -> None:
    """Make our models known to ``mmpretrain.list_models`` and ``mmpretrain.get_model``."""
    with suppress(FileNotFoundError):  # The configs need not be beside the package.
        root = config_path().parent
        ModelHub.register_model_index(root / 'model-index.yml', config_prefix=root)


def dataloader_configs(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the configs of all data loaders, those of several test sets one by one."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loaders = cfg.get(name) or []
        yield from loaders if isinstance(loaders, list | tuple) else [loaders]


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Return what entries at the top of a config may mean that no run reads.

    mmengine passes over them without a word. Variables of a config file may have any other name.
    """
    known = sorted(ENTRIES_READ)
    alike = {n: difflib.get_close_matches(n, known, 1, 0.8) for n in sorted({*names} - {*known})}
    return {name: near[0] for name, near in alike.items() if near}


def add_config_options(parser: argparse.ArgumentParser, data_root: bool = True) -> None:
    """Give a program ``--cfg-options`` and ``--data-root``; see :func:`apply_config_options`."""
    if data_root:
        text = 'folder of the data set, in place of that of the config'
        parser.add_argument('--data-root', metavar='DIR', help=text)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=_key_and_value,
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override entries of the config, for example train_cfg.max_epochs=1 '
        "optim_wrapper.optimizer.lr=1e-3 'model.stages=[1,2]'",
    )


def _key_and_value(text: str) -> str:
    if '=' not in text or '=dict(' in text:  # mmengine knows no dicts.
        raise argparse.ArgumentTypeError(f'{text}: expected is KEY=VALUE, of a dict KEY.NAME=VALUE')
    return text


def merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Override entries of a config by dotted keys, in place, as mmengine does.

    A ValueError names a key that leads nowhere, or to what no run reads: mmengine would take that
    and nothing would change.
    """
    for key, value in options.items():
        first = key.split('.')[0]
        if first not in ENTRIES_READ:
            meant = f'; did you mean {near!r}?' if (near := misspelt([first]).get(first)) else ''
            raise ValueError(
                f'--cfg-options {key}: a run reads no entry {first!r}{meant} (variables of a '
                'config file have been used by now)'
            )
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from error


def apply_config_options(cfg: Config, args: argparse.Namespace) -> None:
    """Put the options of :func:`add_config_options` into a config, in place."""
    merge_options(cfg, args.cfg_options)
    if args.data_root:
        datasets = [loader.dataset for loader in dataloader_configs(cfg)]
        roots = {dataset.get('data_root') for dataset in datasets}
        if len(roots) != 1 or None in roots:
            raise ValueError(
                f'--data-root {args.data_root} is ambiguous, since the config reads from several: '
                'use --cfg-options, such as train_dataloader.dataset.datasets.0.data_root=DIR'
            )
        for dataset in datasets:
            dataset.data_root = args.data_root


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Give a program what training and testing share; see :func:`apply_run_options`."""
    text = 'folder of logs and checkpoints (default: work_dirs/NAME)'
    parser.add_argument('--work-dir', help=text)
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
