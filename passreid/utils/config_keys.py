"""The entries of a config that a run reads."""

import difflib
import inspect
from collections.abc import Collection, Iterable, Iterator

from mmengine.config import Config
from mmengine.runner import Runner

from .config_error import ConfigError

# Read from the config by the Runner and by `build_runner`, besides the constructor's arguments.
_MORE_KEYS = (
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
    'tensorboard',
)
# Of these entries mmengine reads so much, and passes over the rest as well.
_KEYS_WITHIN = {
    'env_cfg': {'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
}
# Shorter words are near to too many others.
_SHORTEST, _LONG = 5, 8
_SIMILAR = 0.6
_DIGITS = '0123456789'


def keys_read() -> set[str]:
    """Return the entries at the top of a config that a run reads."""
    return {*inspect.signature(Runner.__init__).parameters, *_MORE_KEYS} - {'self'}


def check_top_level(cfg: Config) -> None:
    """Make sure that no entry at the top, or of env_cfg and the like, is misspelt.

    mmengine reads what it knows and passes over the rest, so ``load_form`` would start a run
    without its weights. Variables of the config file, such as ``data_root``, may have any name
    that is not a slip of the keyboard away from one that is read.

    Args:
        cfg (Config): The config of a runner.

    Raises:
        ConfigError: When there is such an entry; names it and the one that is near.
    """
    read = keys_read()
    for key in cfg:
        if key not in read and (meant := next((k for k in sorted(read) if is_slip(key, k)), None)):
            raise ConfigError(
                f'{cfg.filename or "the config"} has an entry {key!r} that nothing reads: did you '
                f'mean {meant!r}? If it is a variable of yours, give it another name'
            )
    for name, names in _KEYS_WITHIN.items():
        for key in set(cfg.get(name) or ()) - names:
            raise ConfigError(
                f'{cfg.filename or "the config"}: {name} has no entry {key!r}'
                f'{suggestion(key, names)}'
            )


def is_slip(word: str, name: str) -> bool:
    """Whether a word is a name with a slip of the keyboard in it.

    Up to two letters (one, of names with fewer than eight) are missing, added, changed or
    swapped with their neighbour. A number or a word added with an underscore is no slip.

    Args:
        word (str): The word.
        name (str): The name.

    Examples:
        >>> is_slip('load_form', 'load_from'), is_slip('val_cfg2', 'val_cfg')
        (True, False)
    """
    if word == name or min(len(word), len(name)) < _SHORTEST:
        return False
    if word.startswith(f'{name}_') or word.endswith(f'_{name}') or word.rstrip(_DIGITS) == name:
        return False
    most = 2 if len(name) >= _LONG else 1
    return abs(len(word) - len(name)) <= most and _distance(word, name) <= most


def suggestion(word: str, names: Iterable[str]) -> str:
    """Return a question that suggests the name nearest to a word; '' when none is near.

    Args:
        word (str): What was written.
        names (Iterable[str]): What there is.

    Examples:
        >>> suggestion('PartVit', ['PartViT', 'PASS'])
        "; did you mean 'PartViT'?"
        >>> suggestion('xyz', ['PartViT', 'PASS'])
        ''
    """
    known = list(_without_case(sorted(names)))
    near = difflib.get_close_matches(word.lower(), [low for low, _ in known], 1, _SIMILAR)
    return f'; did you mean {dict(known)[near[0]]!r}?' if near else ''


def _without_case(names: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        yield name.lower(), name


def _distance(first: str, second: str) -> int:
    """Count the changes between two words, swapped neighbours as one.

    Source: the optimal string alignment distance, https://doi.org/10.1145/363958.363994.
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(second, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]
