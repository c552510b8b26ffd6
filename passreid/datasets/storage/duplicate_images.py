"""The same picture under two persons."""

import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Sequence

from mmengine.dist import is_main_process

from passreid.utils.log_once import current_logger, is_shown, log_once
from passreid.utils.printable import printable

from .decoding import LoadPersonImage

_PAIRS_SHOWN = 3
_READER = LoadPersonImage()
_looked_at: set[tuple[str, int]] = set()


def warn_of_duplicates(paths: Sequence[str], pids: Sequence[int], source: str) -> None:
    """Log how many pictures are of several persons, and the first of them.

    Nothing is left out, so that results stay comparable with published ones. In a distributed run
    the main process alone looks.

    Args:
        paths (Sequence[str]): N files.
        pids (Sequence[int]): Who is on them.
        source (str): What they are, to be named in the warning.
    """
    if not (is_main_process() and is_shown(logging.WARNING)):
        return
    # Validation and test often load the same files.
    key = (current_logger(), hash((source, *paths, *pids)))
    if key in _looked_at:
        return
    _looked_at.add(key)
    groups = find_duplicates(paths, pids)
    if not groups:
        return
    examples = '; '.join(_shown(group, paths, pids) for group in groups[:_PAIRS_SHOWN])
    log_once(
        logging.WARNING,
        f'{source} has {len(groups)} pictures, byte for byte, under several ids, in '
        f'{sum(map(len, groups))} files; all are kept. {examples}',
    )


def find_duplicates(paths: Sequence[str], pids: Sequence[int]) -> list[list[int]]:
    """Find files of equal content and different persons.

    Files are read only where those of other persons have the same size. What cannot be read, and
    what is empty, is no duplicate: to load it is an error that has a name of its own.

    Args:
        paths (Sequence[str]): N files.
        pids (Sequence[int]): Who is on them.

    Returns:
        list[list[int]]: Places of the files of each such picture, ascending.
    """
    by_size = _groups(map(_size, paths), pids)
    candidates = [index for group in by_size for index in group]
    own_pids = [pids[index] for index in candidates]
    found = _groups((_digest(paths[index]) for index in candidates), own_pids)
    return sorted(sorted(candidates[place] for place in group) for group in found)


def _groups(keys: Iterable[object], pids: Sequence[int]) -> list[list[int]]:
    """Return the places of equal keys that are those of several persons; None is no key."""
    places: dict[object, list[int]] = {}
    for place, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(place)
    return [group for group in places.values() if len({pids[place] for place in group}) > 1]


def _size(path: str) -> int | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size or None if stat.S_ISREG(status.st_mode) else None


def _digest(path: str) -> bytes | None:
    try:
        return hashlib.blake2b(_READER.read_file(path), digest_size=16).digest()
    except (OSError, ValueError):
        return None


def _shown(group: list[int], paths: Sequence[str], pids: Sequence[int]) -> str:
    """Name two files of a picture, of different persons."""
    first = group[0]
    pair = first, next(index for index in group if pids[index] != pids[first])
    return ' = '.join(f'{printable(paths[index])} (id {pids[index]})' for index in pair)
