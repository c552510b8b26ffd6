"""Reading the lists of images that come as a file."""

import pickle
from collections.abc import Iterator

from .image_files import IMAGE_EXTENSIONS


class _PlainUnpickler(pickle.Unpickler):
    """Builds lists, dicts, strings and numbers; imports nothing, so it can run nothing."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(
            f'it wants to import {module}.{name}, but a key list is made of lists and strings '
            'alone: it is damaged or malicious'
        )


def read_pickled_keys(path: str) -> list[str]:
    """Read LUPerson's ``keys.pkl``.

    Args:
        path (str): A pickled list of str, or a dict whose ``keys`` is one (its ``pids``, a list
            of int or str, is checked and left alone).

    Returns:
        list[str]: The keys in their order.

    Raises:
        ValueError: When the file is anything else, or wants to import something.
    """
    try:
        with open(path, 'rb') as file:
            content = _PlainUnpickler(file).load()
    except FileNotFoundError:
        raise
    # A damaged pickle raises nearly anything.
    except Exception as error:
        raise ValueError(f'cannot read the key list {path}: {error}') from error
    keys = content.get('keys') if isinstance(content, dict) else content
    pids = content.get('pids', []) if isinstance(content, dict) else []
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise ValueError(f'{path} is neither a list of str nor a dict with such a list as "keys"')
    if not isinstance(pids, list) or not all(type(pid) in (int, str) for pid in pids):
        raise ValueError(f'"pids" of {path} is not a list of int or str')
    return keys


def read_path_list(path: str) -> Iterator[str]:
    """Read a list of image paths, one a line, in UTF-8.

    Line ends may be LF or CRLF; empty lines are left out; no character has a special meaning.

    Args:
        path (str): The list.

    Yields:
        str: A path relative to the data root.

    Raises:
        ValueError: For a path that is absolute, climbs by ``..``, has no image's extension or
            white space at its ends; names the line.
    """
    with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        for number, line in enumerate(file, 1):
            name = line.rstrip('\r\n')
            if not name:
                continue
            problem = path_problem(name)
            if problem:
                raise ValueError(f'line {number} of {path}, {name!r}, {problem}')
            yield name


def path_problem(name: str) -> str:
    """Say what is wrong with a path to an image in a list; '' when nothing is.

    Args:
        name (str): The path, relative to the data root.
    """
    if name != name.strip():
        return 'has white space at its ends'
    if name.startswith('/') or '..' in name.split('/'):
        return 'leaves the data root: paths must be relative to it, without ".."'
    if '\\' in name or '\0' in name:
        return 'has a backslash or a zero byte: folders are separated by "/"'
    if not name.lower().endswith(IMAGE_EXTENSIONS):
        return f'is not one path to an image ({", ".join(IMAGE_EXTENSIONS)})'
    return ''
