"""Images of a folder, equal ones among them, and lists of images that come as a file."""

import hashlib
import logging
import os
import pickle
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from passreid.utils.messages import printable

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
# Pictures that are not read; to pass over them without a word would lose them.
_OTHER_EXTENSIONS = ('.gif', '.jfif', '.jpe', '.jp2', '.heic', '.heif', '.avif', '.jxl', '.ppm')


def stamp(path: str) -> list[int]:
    """Return figures of which one changes when a file or a folder does."""
    status = os.stat(path)
    # The size of a folder means something else on each file system.
    return [status.st_mtime_ns, 0 if stat.S_ISDIR(status.st_mode) else status.st_size]


def list_images(folder: str) -> list[str]:
    """Return the names of the images in a folder, sorted; folders in it are not entered."""
    return _images(folder, sorted(os.listdir(folder)))


def scan_folder(root: str, stamps: dict[str, list[int]] | None = None) -> Iterator[str]:
    """Find the images of a folder and the folders in it, depth first, in the order of their names.

    Links are followed, but no folder is entered twice. Hidden files and folders are left out.
    ``stamps`` gets the :func:`stamp` of each folder by its path.
    """
    entered: set[tuple[int, int]] = set()

    def scan(folder: str) -> Iterator[str]:
        path = os.path.join(root, folder) if folder else root
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in entered:
            return
        entered.add((status.st_dev, status.st_ino))
        if stamps is not None:
            # Before the folder is read: what is added meanwhile makes the list stale.
            stamps[path] = stamp(path)
        with os.scandir(path) as found:
            is_folder = {entry.name: entry.is_dir() for entry in found if entry.name[0] != '.'}
        names = sorted(is_folder)
        images = set(_images(path, [name for name in names if not is_folder[name]]))
        for name in names:
            if is_folder[name]:
                yield from scan(os.path.join(folder, name))
            elif name in images:
                yield os.path.join(folder, name)

    yield from scan('')


def _images(folder: str, names: list[str]) -> list[str]:
    visible = [name for name in names if not name.startswith('.')]
    others = [name for name in visible if name.lower().endswith(_OTHER_EXTENSIONS)]
    if others:
        print_log(
            f'{len(others)} pictures in {folder} are left out, for they are none of '
            f'{", ".join(IMAGE_EXTENSIONS)}: {", ".join(map(printable, others[:3]))}',
            'current',
            logging.WARNING,
        )
    return [name for name in visible if name.lower().endswith(IMAGE_EXTENSIONS)]


def warn_of_duplicates(paths: Sequence[str], pids: Sequence[int], source: str) -> None:
    """Log how many files of a source show one picture as several persons; nothing is left out."""
    if is_main_process() and (groups := find_duplicates(paths, pids)):
        first = groups[0][0]
        pair = first, next(index for index in groups[0] if pids[index] != pids[first])
        example = ' = '.join(f'{printable(paths[i])} (id {pids[i]})' for i in pair)
        print_log(
            f'{source} has {len(groups)} pictures, byte for byte, under several ids, in '
            f'{sum(map(len, groups))} files; all are kept. The first: {example}',
            'current',
            logging.WARNING,
        )


def find_duplicates(paths: Sequence[str], pids: Sequence[int]) -> list[list[int]]:
    """Return the places of the files of each picture that is there as several persons, ascending.

    Files are read only where those of other persons have the same size; no unreadable or empty one
    is a duplicate.
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


# More digits would not fit into 64 bits.
_PID = re.compile('-1|[0-9]{1,18}')


class _PlainUnpickler(pickle.Unpickler):
    """Imports nothing, so that it can run nothing."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(f'it wants to import {module}.{name}, so it is no key list')


def read_keys(path: str) -> list[str]:
    """Read LUPerson's ``keys.pkl``: a pickled list of str, or a dict whose ``keys`` is one."""
    with open(path, 'rb') as file:
        try:
            content = _PlainUnpickler(file).load()
            keys = content['keys'] if isinstance(content, dict) else content
            if not isinstance(keys, list):
                raise TypeError(f'{type(keys).__name__} instead of a list of str')
            # Names in UTF-8, or the bytes of one that is not.
            ''.join(keys).encode(errors='surrogateescape')
        # A damaged pickle raises nearly anything.
        except Exception as error:
            raise ValueError(f'cannot read the key list {path}: {error!r}') from error
    return keys


def read_path_list(path: str) -> Iterator[str]:
    """Read a list of image paths relative to the data root, one a line."""
    for place, line in _lines(path):
        _check_path(line, place)
        yield line


def read_labelled_list(path: str) -> Iterator[tuple[str, str, int]]:
    """Read a list of which each line has the path of an image, which may contain spaces, and a pid.

    Yields the place of the line, to be named in an error, the path and the pid.
    """
    for place, line in _lines(path):
        name, pid = [*line.strip().rsplit(None, 1), ''][:2]
        if not _PID.fullmatch(pid):
            raise ValueError(
                f'{place}, {line[:200]!r}, is not the path of an image and a pid, like '
                '"0001/0001_000_01_0303morning_0015_0.jpg 1"'
            )
        _check_path(name, place)
        yield place, name, int(pid)


def _lines(path: str) -> Iterator[tuple[str, str]]:
    with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f'line {number} of {path}', line.rstrip('\r\n')


def _check_path(name: str, place: str) -> None:
    odd = len(name) > 4096 or name != name.strip() or re.search(r'[\\\0\r]', name)
    outside = not {'', '..'}.isdisjoint(name.split('/'))
    if odd or outside or not name.lower().endswith(IMAGE_EXTENSIONS):
        raise ValueError(
            f'{place}: {name[:200]!r} is not the path of an image below the data root: folders '
            f'are divided by "/", none is "..", and the end is one of {", ".join(IMAGE_EXTENSIONS)}'
        )
