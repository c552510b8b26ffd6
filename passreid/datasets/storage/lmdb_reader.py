"""Reading images from an LMDB in several processes."""

import os

import lmdb

from .bad_images import BadImageError

# LMDB lets a process open a path only once.
_OPEN: dict[str, lmdb.Environment] = {}


def _close_all() -> None:
    while _OPEN:
        _OPEN.popitem()[1].close()


# An environment must not cross a fork. Parent and child open theirs when they need it again.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_close_all)


class LMDBReader:
    """Read values by their keys; opened on first use, once in each process.

    Args:
        path (str): Folder with ``data.mdb``.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)

    def get(self, key: str) -> bytes:
        """Return the value of a key.

        Args:
            key (str): The key.

        Raises:
            BadImageError: When there is no such key or its value cannot be read.
            ValueError: When the file is no LMDB, or was not copied to its end.
        """
        environment = self._environment()
        try:
            with environment.begin() as transaction:
                value = transaction.get(key.encode(errors='surrogateescape'))
        except lmdb.Error as error:
            raise BadImageError(key, f'{self.path} cannot be read: {error}') from error
        if value is None:
            raise BadImageError(key, f'{self.path} has no such key')
        return value

    def _environment(self) -> lmdb.Environment:
        if self.path not in _OPEN:
            file = os.path.join(self.path, 'data.mdb')
            try:
                environment = lmdb.open(self.path, readonly=True, lock=False, readahead=False)
            except lmdb.Error as error:
                if not os.path.exists(file):
                    raise
                raise ValueError(
                    f'{file} is no LMDB, or was not copied to its end: {error}'
                ) from error
            _check_length(environment, file)
            _OPEN[self.path] = environment
        return _OPEN[self.path]


def _check_length(environment: lmdb.Environment, file: str) -> None:
    """Make sure that all pages are there: to read a missing one ends the process, by SIGBUS."""
    expected = (environment.info()['last_pgno'] + 1) * environment.stat()['psize']
    if (size := os.path.getsize(file)) < expected:
        environment.close()
        raise ValueError(
            f'{file} was not copied to its end: it has {size} of {expected} bytes. Copy it again'
        )
