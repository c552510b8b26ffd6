"""Reading the lists of images that come as a file."""

import pickle
import re
from collections.abc import Iterator

from .image_files import IMAGE_EXTENSIONS

# More digits would not fit into 64 bits.
_PID = re.compile('-1|[0-9]{1,18}')
_LONGEST, _SHOWN = 4096, 200


class _PlainUnpickler(pickle.Unpickler):
    """Imports nothing, so that it can run nothing."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(
            f'it wants to import {module}.{name}, but a key list is made of lists and strings '
            'alone: it is damaged or malicious'
        )


def read_keys(path: str) -> list[str]:
    """Read LUPerson's ``keys.pkl``: a pickled list of str, or a dict whose ``keys`` is one.

    Raises:
        ValueError: When the file is anything else, or wants to import something.
    """
    with open(path, 'rb') as file:
        try:
            content = _PlainUnpickler(file).load()
            keys = content['keys'] if isinstance(content, dict) else content
            # Names in UTF-8, or the bytes of one that is not.
            ''.join(keys).encode(errors='surrogateescape')
        # A damaged pickle raises nearly anything.
        except Exception as error:
            raise ValueError(f'cannot read the key list {path}: {error!r}') from error
    if not isinstance(keys, list):
        raise ValueError(f'{path} is neither a list of str nor a dict with such a list as "keys"')
    return keys


def read_path_list(path: str) -> Iterator[str]:
    """Read a list of image paths relative to the data root, one a line.

    Raises:
        ValueError: For a line that is no such path; names it.
    """
    for place, line in _lines(path):
        _check_path(line, place)
        yield line


def read_labelled_list(path: str) -> Iterator[tuple[str, str, int]]:
    """Read a list of which each line has the path of an image, which may contain spaces, and a pid.

    Yields:
        tuple: Place of the line, to be named in an error, path of the image and pid.

    Raises:
        ValueError: For a line without both, or with a path that was listed before; names it.
    """
    seen: dict[str, str] = {}
    for place, line in _lines(path):
        name, pid = [*line.strip().rsplit(None, 1), ''][:2]
        if not _PID.fullmatch(pid):
            raise ValueError(
                f'{place}, {line[:_SHOWN]!r}, is not the path of an image and a pid, like '
                '"0001/0001_000_01_0303morning_0015_0.jpg 1"'
            )
        _check_path(name, place)
        if name in seen:
            raise ValueError(f'{place}: {name!r} stands in {seen[name]} already')
        seen[name] = place
        yield place, name, int(pid)


def _lines(path: str) -> Iterator[tuple[str, str]]:
    with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f'line {number} of {path}', line.rstrip('\r\n')


def _check_path(name: str, place: str) -> None:
    odd = len(name) > _LONGEST or name != name.strip() or re.search(r'[\\\0\r]', name)
    inside = {'', '..'}.isdisjoint(name.split('/'))
    if odd or not inside or not name.lower().endswith(IMAGE_EXTENSIONS):
        raise ValueError(
            f'{place}: {name[:_SHOWN]!r} is not the path of an image below the data root: folders '
            f'are divided by "/", none is "..", and the end is one of {", ".join(IMAGE_EXTENSIONS)}'
        )
