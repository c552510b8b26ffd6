"""The same picture under two persons."""

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

from passreid.utils.messages import log_once, printable


def warn_of_duplicates(paths: Sequence[str], pids: Sequence[int], source: str) -> None:
    """Log how many files of a source show one picture as several persons; nothing is left out."""
    if not is_main_process() or not MMLogger.get_current_instance().isEnabledFor(logging.WARNING):
        return
    if groups := find_duplicates(paths, pids):
        first = groups[0][0]
        pair = first, next(index for index in groups[0] if pids[index] != pids[first])
        example = ' = '.join(f'{printable(paths[i])} (id {pids[i]})' for i in pair)
        log_once(
            logging.WARNING,
            f'{source} has {len(groups)} pictures, byte for byte, under several ids, in '
            f'{sum(map(len, groups))} files; all are kept. The first: {example}',
        )


def find_duplicates(paths: Sequence[str], pids: Sequence[int]) -> list[list[int]]:
    """Return the places of the files of each picture that is there as several persons, ascending.

    Files are read only where those of other persons have the same size. What cannot be read, and
    what is empty, is no duplicate: to load it is an error that has a name of its own.
    """

    def groups(key: Callable[[str], Hashable], indices: Iterable[int]) -> list[list[int]]:
        places = defaultdict(list)
        for index in indices:
            with suppress(OSError):
                if value := key(paths[index]):
                    places[value].append(index)
        return [group for group in places.values() if len({pids[i] for i in group}) > 1]

    same_size = sorted(sum(groups(os.path.getsize, range(len(paths))), []))
    return sorted(groups(lambda path: hashlib.blake2b(Path(path).read_bytes()).digest(), same_size))
