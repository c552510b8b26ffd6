"""Files that appear whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

# Of what a killed run was writing: nobody else gives files such a name.
PARTIAL = '.passreid-partial'


class NotSavedError(OSError):
    """A file could not be saved; what stood in its place still does."""


@contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file that takes its place, in one step, when it is whole and on the disk.

    Whatever happens meanwhile, a reader meets the file as it was before. After an error nothing
    is left of the new one; after a kill what :func:`remove_partial_files` removes.

    Args:
        path (str | Path): A local file. Its folder is made if need be.

    Yields:
        BinaryIO: What to write to.
    """
    path = Path(path)
    partial = path.with_name(path.name + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def save_atomically(content: Any, path: str | Path) -> None:
    """Write what :func:`torch.save` writes, as :func:`atomic_file` does, without a copy in memory.

    Args:
        content (Any): What to save.
        path (str | Path): A local file.

    Raises:
        NotSavedError: When the disk is full, a quota reached or the folder not writable.
    """
    try:
        with atomic_file(path) as file:
            witness = _Witness(file)
            try:
                torch.save(content, cast(BinaryIO, witness))
            except RuntimeError:
                if witness.failure is None:
                    raise
                raise witness.failure from None
    except OSError as error:
        needed, free = _gigabytes(_num_bytes(content)), _free_space(Path(path).parent)
        raise NotSavedError(
            error.errno or errno.EIO,
            f'{path} could not be saved: {error.strerror or error}. It needs {needed}, {free} are '
            'free there.',
        ) from error


def write_text_atomically(text: str, path: str | Path) -> None:
    """Write a text file as :func:`atomic_file` does.

    Args:
        text (str): The content.
        path (str | Path): A local file.

    Raises:
        NotSavedError: When it cannot be written.
    """
    try:
        with atomic_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise NotSavedError(
            error.errno or errno.EIO, f'{path} could not be written: {error.strerror or error}.'
        ) from error


def remove_partial_files(folder: str | Path) -> list[Path]:
    """Remove what runs that were killed while they wrote left in a folder.

    Args:
        folder (str | Path): A local folder in which nobody is writing.

    Returns:
        list[Path]: What was removed.
    """
    partial = sorted(Path(folder).glob(f'*{PARTIAL}'))
    for path in partial:
        path.unlink(missing_ok=True)
    return partial


class _Witness:
    """Pass on what is written and remember why it failed, of which torch tells nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk, so that a power cut does not bring the old file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # Some network file systems do not sync folders.
        pass
    finally:
        os.close(descriptor)


def _num_bytes(content: Any) -> int:
    """Return the size of the tensors in nested dicts, lists and tuples."""
    if isinstance(content, Tensor):
        return content.nbytes
    if isinstance(content, Mapping):
        return sum(map(_num_bytes, content.values()))
    return sum(map(_num_bytes, content)) if isinstance(content, list | tuple) else 0


def _free_space(folder: Path) -> str:
    try:
        return _gigabytes(shutil.disk_usage(folder).free)
    except OSError:
        return 'no bytes that can be counted'


def _gigabytes(count: int) -> str:
    return f'{count / 1e9:.2f} GB' if count >= 1e7 else f'{count / 1e6:.2f} MB'
