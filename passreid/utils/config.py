"""The configs that come with passreid, and what a run reads of a config."""

import difflib
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from mmpretrain.apis import ModelHub

# What a run reads at the top of a config: by arguments of mmengine's Runner, and elsewhere.
ENTRIES_READ = {
    *inspect.signature(Runner).parameters,
    *('compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters'),
    *('model_wrapper_cfg', 'runner_type', 'sync_bn', 'tensorboard'),
}


def config_path(name: str = '') -> Path:
    """Return the path of a config that comes with the package.

    It works from a checkout, an editable installation and a wheel, which holds the configs
    below ``passreid/.mim``.

    Args:
        name (str): Path below ``configs/``, such as ``'pass/pass_vit-s16_lup.py'``. Defaults to
            '', which means the folder itself.

    Raises:
        FileNotFoundError: When there is no such config; names those there are.

    Examples:
        >>> from passreid.apis import build_runner
        >>> from passreid.utils import config_path
        >>> runner = build_runner(config_path('pass/pass_vit-s16_lup.py'))  # doctest: +SKIP
    """
    package = Path(__file__).parents[1]
    folders = (package / '.mim' / 'configs', package.parent / 'configs')
    # A checkout is known by its base configs: any folder may have a `configs` beside it.
    root = next((folder for folder in folders if (folder / '_base_').is_dir()), None)
    if root is None:
        raise FileNotFoundError(f'passreid has no configs in {" or ".join(map(str, folders))}')
    if not (root / name).exists():
        leaves = (path.relative_to(root) for path in root.rglob('*.py'))
        known = sorted(str(leaf) for leaf in leaves if '_base_' not in leaf.parts)
        raise FileNotFoundError(f'there is no config {name!r} in {root}; there are: {known}')
    return root / name


def register_model_zoo() -> None:
    """Make ``mmpretrain.list_models`` and ``mmpretrain.get_model`` know the models of passreid.

    Importing passreid does this. Where the configs are not beside the package, there is nothing to
    make known.

    Examples:
        >>> import mmpretrain
        >>> import passreid
        >>> 'pass_vit-s16_lup' in mmpretrain.list_models('pass*')
        True
    """
    try:
        root = config_path().parent
    except FileNotFoundError:
        return
    # mmpretrain refuses a name that it knows already.
    if not ModelHub.has('pass_vit-s16_lup'):
        ModelHub.register_model_index(root / 'model-index.yml', config_prefix=root)


def dataloader_configs(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the configs of all data loaders, those of several test sets one by one.

    Args:
        cfg (Config): The config of a runner.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loaders = cfg.get(name) or []
        yield from loaders if isinstance(loaders, list | tuple) else [loaders]


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Return what entries at the top of a config may mean that no run reads.

    mmengine passes over them without a word. A slip of the keyboard adds or leaves out two letters
    at most; variables of a config file may have any other name.

    Args:
        names (Iterable[str]): Entries of a config.

    Examples:
        >>> misspelt(['load_form', 'data_root', 'resume'])
        {'load_form': 'load_from'}
    """
    meant = {}
    for name in sorted({*names} - ENTRIES_READ):
        alike = [key for key in sorted(ENTRIES_READ) if abs(len(key) - len(name)) <= 2]
        if near := difflib.get_close_matches(name, alike, 1, 0.8):
            meant[name] = near[0]
    return meant
