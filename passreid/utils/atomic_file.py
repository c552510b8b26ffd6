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

    Raises:
        NotSavedError: When the disk is full, a quota reached or the folder not writable.
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
        raise NotSavedError(code, f'{path} could not be saved: {os.strerror(code)}.') from error
    # The new name, too, so that a power cut does not bring the old file back.
    folder = os.open(path.parent, os.O_RDONLY)
    with suppress(OSError):  # Some network file systems do not sync folders.
        os.fsync(folder)
    os.close(folder)


def save_atomically(content: Any, path: str | Path) -> None:
    """Write what :func:`torch.save` writes as :func:`atomic_file` does, with no copy in memory."""
    with atomic_file(path) as file:
        torch.save(content, file)


def write_text_atomically(text: str, path: str | Path) -> None:
    """Write a text file as :func:`atomic_file` does."""
    with atomic_file(path) as file:
        file.write(text.encode())


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


def write_last_checkpoint(work_dir: str | Path, checkpoint: str) -> None:
    """Make a checkpoint, named by its path or address, the one that a run resumes from."""
    write_text_atomically(checkpoint, Path(work_dir) / 'last_checkpoint')


def read_last_checkpoint(work_dir: str | Path) -> str | None:
    """Return the checkpoint to resume from as it was named, None when none was ever written."""
    try:
        return (Path(work_dir) / 'last_checkpoint').read_text(errors='replace').strip('\0 \n')
    except FileNotFoundError:
        return None
