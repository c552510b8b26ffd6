"""What mmengine passes over in a config without a word."""

import difflib
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from passreid.registry import REGISTRIES, type_of

# Read from the config by the Runner and by `build_runner`, besides the constructor's arguments.
_MORE_KEYS = (
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'tensorboard',
)
# Of these entries mmengine reads so much.
_KEYS_WITHIN = {
    'env_cfg': {'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
}
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Entries that are only tested for truth, so that a word such as 'no' would switch them on.
_SWITCHES = {
    '': ('resume', 'compile', 'tensorboard', 'find_unused_parameters'),
    'auto_scale_lr': ('enable',),
    'env_cfg': ('cudnn_benchmark',),
    'randomness': ('deterministic', 'diff_rank_seed'),
    **dict.fromkeys(_LOADERS, ('pin_memory', 'persistent_workers', 'drop_last')),
}
# A slip of the keyboard adds or leaves out so many letters, and leaves so much as it is.
_MOST_LETTERS, _SIMILAR = 2, 0.8
SWITCH_WORDS = {'on': True, 'yes': True, 'true': True, 'off': False, 'no': False, 'false': False}


def dataloader_configs(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the configs of all data loaders, those of several test sets one by one.

    Args:
        cfg (Config): The config of a runner.
    """
    for name in _LOADERS:
        loaders = cfg.get(name) or []
        yield from loaders if isinstance(loaders, list | tuple) else [loaders]


def read_switches(cfg: Config) -> None:
    """Turn words such as 'no' into what they mean, where mmengine wants True or False, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Raises:
        ValueError: When another word stands there; names the entry.
    """
    for name, keys in _SWITCHES.items():
        holders = cfg.get(name) if name else cfg
        for holder in holders if isinstance(holders, list | tuple) else [holders]:
            for key in keys if isinstance(holder, dict | Config) else ():
                value = holder.get(key)
                if isinstance(value, str) and (key, value) != ('resume', 'auto'):
                    holder[key] = read_switch(f'{name}.{key}'.strip('.'), value)
    for path, entry in _entries(cfg._cfg_dict):
        for key, value in entry.items() if 'type' in entry else ():
            if isinstance(value, str) and wants_switch(parameter := parameter_of(entry, key)):
                entry[key] = read_switch(f'{path}.{key}'.strip('.'), value)
            elif isinstance(value, str) and bool in get_args(parameter.annotation):
                entry[key] = SWITCH_WORDS.get(value.lower(), value)


def _entries(node: Any, path: str = '') -> Iterator[tuple[str, dict]]:
    """Yield all dicts of a config and the dotted keys that lead to them."""
    if isinstance(node, dict):
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children if isinstance(node, dict | list | tuple) else ():
        if isinstance(child, dict | list | tuple):
            yield from _entries(child, f'{path}.{key}'.strip('.'))


def parameter_of(entry: Any, name: str) -> inspect.Parameter:
    """Return an argument of the class that an entry of a config names.

    Args:
        entry (Any): The entry.
        name (str): Of the argument; one that is not known has neither default nor annotation.
    """
    for kind in type_of(entry, *REGISTRIES).__mro__:
        try:
            return inspect.signature(vars(kind)['__init__']).parameters[name]
        except (KeyError, ValueError):
            continue
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)


def wants_switch(parameter: inspect.Parameter) -> bool:
    """Whether an argument is True or False, and never a word."""
    return isinstance(parameter.default, bool) and str not in get_args(parameter.annotation)


def read_switch(key: str, word: str) -> bool:
    """Return what a word means where True or False is wanted.

    Args:
        key (str): The entry that it stands in.
        word (str): on, off, yes, no, true or false, in any case.

    Raises:
        ValueError: When it is another word; names the entry.
    """
    if word.lower() not in SWITCH_WORDS:
        raise ValueError(f'{key} is {word!r}, but must be one of {", ".join(SWITCH_WORDS)}')
    return SWITCH_WORDS[word.lower()]


def keys_read() -> set[str]:
    """Return the entries at the top of a config that a run reads."""
    return {*inspect.signature(Runner.__init__).parameters, *_MORE_KEYS} - {'self'}


def likely_misspelt(cfg: Config) -> list[str]:
    """Find entries at the top, or of env_cfg and auto_scale_lr, that may be misspelt.

    mmengine passes over what it does not know: ``load_form`` would start a run without its weights.
    Variables of a config file may have any name.

    Args:
        cfg (Config): The config of a runner.

    Returns:
        list[str]: One sentence each.
    """
    read = keys_read()
    found = [
        f'The config has an entry {key!r} that nothing reads{hint}'
        for key in sorted({*cfg} - read - cfg._imported_names)
        if (hint := suggestion(key, read))
    ]
    for name, names in _KEYS_WITHIN.items():
        for key in sorted({*(cfg.get(name) or ())} - names):
            found.append(f'{name}.{key} of the config is read by nothing{suggestion(key, names)}')
    return found


def suggestion(word: str, names: Iterable[str]) -> str:
    """Return a question that suggests the name nearest to a word; '' when none is near.

    Args:
        word (str): What was written.
        names (Iterable[str]): What there is.

    Examples:
        >>> suggestion('load_form', ['load_from', 'resume'])
        "; did you mean 'load_from'?"
        >>> suggestion('data_root', ['load_from', 'resume'])
        ''
    """
    alike = sorted(name for name in names if abs(len(name) - len(word)) <= _MOST_LETTERS)
    near = difflib.get_close_matches(word, alike, 1, _SIMILAR)
    return f'; did you mean {near[0]!r}?' if near else ''
