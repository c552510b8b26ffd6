"""Reading the lists of images that come as a file."""

import os
import pickle
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from .image_files import IMAGE_EXTENSIONS

# Halves of a character: neither text nor the bytes of a file name.
_NO_TEXT = re.compile('[\ud800-\udc7f\udd00-\udfff]')
# Numbers under which a pickle memorises an object; text may look alike.
_PUT_BINARY = re.compile(rb'r(....)', re.DOTALL)
_PUT_TEXT = re.compile(rb'p([0-9]{1,20})\n')
_LONGEST, _SHOWN = 4096, 200


class _Plain:
    """Lets an unpickler import nothing, so that it can run nothing."""

    def find_class(self, module: str, name: str):
        raise pickle.UnpicklingError(
            f'it wants to import {module}.{name}, but a key list is made of lists and strings '
            'alone: it is damaged or malicious'
        )


class _FastUnpickler(_Plain, pickle.Unpickler):
    pass


class _FrugalUnpickler(_Plain, pickle._Unpickler):
    pass


def _load(data: bytes) -> Any:
    """Build lists, dicts, strings and numbers.

    The fast unpickler makes room for as many memorised objects as the largest number that one is
    given: a file of ten bytes takes 64 GB. The frugal one, of Python's own, is ten times slower.
    """
    numbers = (int.from_bytes(found[1], 'little') for found in _PUT_BINARY.finditer(data))
    doubtful = any(number > len(data) for number in numbers) or any(
        int(found[1]) > len(data) for found in _PUT_TEXT.finditer(data)
    )
    return (_FrugalUnpickler if doubtful else _FastUnpickler)(BytesIO(data)).load()


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
            content = _load(file.read())
    except FileNotFoundError:
        raise
    # A damaged pickle raises nearly anything.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f'cannot read the key list {path}: {reason}') from error
    keys = content.get('keys') if isinstance(content, dict) else content
    pids = content.get('pids', []) if isinstance(content, dict) else []
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise ValueError(f'{path} is neither a list of str nor a dict with such a list as "keys"')
    if _NO_TEXT.search(''.join(keys)):
        raise ValueError(f'{path} has keys that are no text: it is damaged')
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
            white space at its ends; names the line. Also when the list is no regular file.
    """
    # A pipe would be waited for.
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f'{path} is no file, but must be a list of images')
    with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        for number, line in enumerate(file, 1):
            name = line.rstrip('\r\n')
            if not name:
                continue
            problem = path_problem(name)
            if problem:
                raise ValueError(f'line {number} of {path}, {name[:_SHOWN]!r}, {problem}')
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
    if '\r' in name:
        return 'has a carriage return in it: lines must end with LF or CRLF'
    if len(name) > _LONGEST:
        return f'is longer than a path may be, {_LONGEST} characters'
    if not name.lower().endswith(IMAGE_EXTENSIONS):
        return f'is not one path to an image ({", ".join(IMAGE_EXTENSIONS)})'
    return ''
