"""Reading images from an LMDB in several processes."""

import os

import lmdb

from .decoding import BadImageError

# LMDB lets a process open a path only once.
_OPEN: dict[str, lmdb.Environment] = {}


def _close_all() -> None:
    while _OPEN:
        _OPEN.popitem()[1].close()


# An environment must not cross a fork. Parent and child open theirs when they need it again.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_close_all)


def read_lmdb(path: str, key: str) -> bytes:
    """Return the value of a key; the LMDB in a folder is opened on first use, once in each process.

    A key that is not there raises a :class:`.BadImageError`, a damaged file a ValueError.
    """
    if path not in _OPEN:
        _OPEN[path] = _open(path)
    try:
        with _OPEN[path].begin() as transaction:
            value = transaction.get(key.encode(errors='surrogateescape'))
    except lmdb.Error as error:
        raise BadImageError(key, f'{path} cannot be read: {error}') from error
    if value is None:
        raise BadImageError(key, f'{path} has no such key')
    return value


def _open(path: str) -> lmdb.Environment:
    file = os.path.join(path, 'data.mdb')
    size = os.path.getsize(file)
    try:
        environment = lmdb.open(path, readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise ValueError(f'{file} is no LMDB, or was not copied to its end: {error}') from error
    # To read a page that is missing would end the process, by SIGBUS.
    expected = (environment.info()['last_pgno'] + 1) * environment.stat()['psize']
    if size < expected:
        environment.close()
        raise ValueError(
            f'{file} was not copied to its end: it has {size} of {expected} bytes. Copy it again'
        )
    return environment
