"""The checkpoints of a work directory: which is the last, and which can be resumed from."""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from .atomic_file import write_text_atomically
from .checkpoint_loading import weights_only_loading

_POINTER = 'last_checkpoint'
# What each checkpoint of training holds; weights to start from and best checkpoints do not.
_NEEDED = ('state_dict', 'optimizer', 'message_hub')


class Progress(NamedTuple):
    """How far a run was when it wrote a checkpoint; the later one is the greater."""

    time: str
    iteration: int


class Examined(NamedTuple):
    """What a file is.

    Attributes:
        progress (Progress, optional): None when a run cannot be resumed from it.
        damage (str, optional): Why it cannot be read; None when it is whole.
    """

    progress: Progress | None
    damage: str | None


def write_last_checkpoint(work_dir: str | Path, checkpoint: str) -> None:
    """Make a checkpoint the one to resume from, at once and for good.

    Args:
        work_dir (str | Path): The work directory.
        checkpoint (str): Path or address of the checkpoint.

    Raises:
        NotSavedError: When it cannot be written.
    """
    write_text_atomically(checkpoint, Path(work_dir) / _POINTER)


def read_last_checkpoint(work_dir: str | Path) -> str | None:
    """Read which checkpoint is the one to resume from.

    Args:
        work_dir (str | Path): The work directory.

    Returns:
        str | None: Its path or address as it was written, ``''`` when that is lost, None when no
        checkpoint was ever written.
    """
    try:
        return (Path(work_dir) / _POINTER).read_text().strip('\0 \n')
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ''


def examine(path: str | Path) -> Examined:
    """Look whether a run can be resumed from a file, and whether each byte is as it was written.

    Checksums are computed without loading the tensors.

    Args:
        path (str | Path): A local file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (name := archive.testzip()) is not None:
                return Examined(None, f'the checksum of {name} is wrong')
        with weights_only_loading():
            content = torch.load(path, map_location='cpu', mmap=True)
        meta = content['meta']
        if not all(key in content for key in _NEEDED):
            return Examined(None, None)
        return Examined(Progress(str(meta.get('time', '')), int(meta['iter'])), None)
    except zipfile.BadZipFile as error:
        return Examined(None, f'it was not written to its end ({error})')
    except (KeyError, TypeError, AttributeError):
        return Examined(None, None)
    except Exception as error:  # Whatever a damaged file makes of a reader.
        return Examined(None, str(error).split('\n')[0])


def latest_whole(paths: Iterable[Path]) -> tuple[Path | None, dict[Path, str]]:
    """Choose the checkpoint that got furthest.

    Args:
        paths (Iterable[Path]): Files of weights.

    Returns:
        tuple[Path | None, dict[Path, str]]: The checkpoint, None when there is none to resume from;
        and what is wrong with those that are damaged.
    """
    examined = {path: examine(path) for path in paths}
    whole = {path: found.progress for path, found in examined.items() if found.progress}
    damaged = {path: found.damage for path, found in examined.items() if found.damage}
    return max(whole, key=lambda path: (whole[path], path.name), default=None), damaged
