"""Files that appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch

# Of what a killed run was writing: nobody else gives files such a name.
PARTIAL = '.passreid-partial'


@contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file that takes its place, in one step, when it is whole and on the disk.

    Its folder is made if need be. After an error, an :class:`OSError` that names the file when the
    disk is full, what stood there stands there still; a kill leaves a file named ``PARTIAL``.
    """
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        # Of what went wrong when torch wrote, it says nothing that helps.
        if not isinstance(error, OSError) and 'inline_container' not in str(error):
            raise
        code = getattr(error, 'errno', None) or errno.ENOSPC
        raise OSError(code, f'could not be saved: {os.strerror(code)}', str(path)) from error


def save_atomically(content: Any, path: str | Path) -> None:
    """Write what :func:`torch.save` writes as :func:`atomic_file` does, with no copy in memory."""
    with atomic_file(path) as file:
        torch.save(content, file)
