"""Loading of checkpoints that cannot run code.

A pickle can name any function, so a checkpoint from elsewhere is a program. torch's
restricted unpickler (``weights_only=True``) builds tensors and plain values only; this
module keeps it switched on for every way in which mmengine loads a checkpoint and extends
it by the harmless classes that mmengine and the authors' scripts put in their files.
https://pytorch.org/docs/stable/notes/serialization.html#weights-only
"""

import argparse
import errno
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_from_local
from mmengine.utils import digit_version

_FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_FORCE_NOT = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
_HISTORY_METHODS = ('min', 'max', 'mean', 'current')


class UnsafeCheckpointError(pickle.UnpicklingError):
    """A checkpoint holds more than tensors and plain values and was not loaded."""


def _history_method(owner: Any, name: str) -> Callable:
    """Stand in for ``getattr``, by which a pickled HistoryBuffer names its own methods.

    The real one would hand a crafted file any attribute of anything, and so ``os.system``.
    """
    if owner is not HistoryBuffer or name not in _HISTORY_METHODS:
        raise UnsafeCheckpointError(f'attribute {name!r} of {owner!r} is not allowed')
    return getattr(HistoryBuffer, name)


def _safe_globals() -> list:
    """Return the classes and functions that files of mmengine, DINO and PASS name."""
    reconstruct = np.ndarray(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    numpy_functions = [
        (function, f'numpy.{core}.multiarray.{name}')
        for function, name in ((reconstruct, '_reconstruct'), (scalar, 'scalar'))
        for core in ('core', '_core')
    ]
    numpy_dtypes = [type(np.dtype(code)) for code in ('f8', 'f4', 'i8', 'i4', 'b1')]
    return [
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        *numpy_functions,
        np.ndarray,
        np.dtype,
        *numpy_dtypes,
        argparse.Namespace,
    ]


@contextmanager
def weights_only_loading() -> Iterator[None]:
    """Make every ``torch.load`` inside the block refuse what could run code.

    torch's own switch is used, since it also reaches the calls that ask for
    ``weights_only=False`` (``torch.hub``) and releases whose default is False (< 2.6).
    """
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORCE_NOT)}
    os.environ[_FORCE] = '1'
    try:
        # Older releases cannot register a function under another name; their users load
        # plain files, such as those that PlainCheckpointHook makes mmengine write.
        if digit_version(torch.__version__) < digit_version('2.6.0'):
            yield
        else:
            with torch.serialization.safe_globals(_safe_globals()):
                yield
    finally:
        os.environ.pop(_FORCE)
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def _readable_errors(path: str) -> Iterator[None]:
    """Name the file, and never advise to switch the safeguard off, as torch does."""
    try:
        yield
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpointError(
            f'{path} was refused: it is no checkpoint, or holds Python objects that could run '
            f'code when loaded{_offender(error)}. Ask its author for a file of tensors and '
            "plain values only, such as torch.save({'state_dict': model.state_dict()}, path)."
        ) from None
    except torch.OutOfMemoryError:
        raise
    # Damaged files make torch raise nearly anything, UnicodeDecodeError and KeyError too.
    except Exception as error:
        # Of the errors of the disk, one means the file: torch looks for the end of an archive in
        # front of the beginning of a short file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        kind = '' if isinstance(error, RuntimeError) else f'{type(error).__name__}: '
        raise damaged_file(path, f'{kind}{error}') from error


def damaged_file(path: str | Path, reason: str) -> RuntimeError:
    """Return the error to raise for a file that its reader cannot read.

    Args:
        path (str | Path): The file.
        reason (str): What its reader says.
    """
    return RuntimeError(
        f'{path} cannot be read, it is damaged or was not written to its end: {reason}'
    )


def _offender(error: pickle.UnpicklingError) -> str:
    """Return, in brackets, the object that torch's message is about, if it names one."""
    found = re.search(r'GLOBAL (\S+)|(attribute .* is not allowed)', str(error))
    return f' ({found.group(1) or found.group(2)})' if found else ''


def load_checkpoint_file(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Load a local checkpoint without running anything it may contain.

    Args:
        path (str | Path): The file.
        map_location: As in :func:`torch.load`. Defaults to 'cpu'.

    Returns:
        Any: What was saved, usually a dict.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds anything but tensors, plain values and the
            harmless classes of mmengine and argparse.
        RuntimeError: When it is damaged.
    """
    return _safe(load_from_local)(str(path), map_location)


def _safe(loader: Callable) -> Callable:
    """Wrap a loader of mmengine; the wrapper keeps its name, which mmengine logs."""

    @wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        with _readable_errors(filename), weights_only_loading():
            return loader(filename, *args, **kwargs)

    load.loads_weights_only = True  # type: ignore[attr-defined]
    return load


def secure_checkpoint_loading() -> None:
    """Route every scheme of mmengine's loader (file, http, ...) through the safe loading.

    It affects the whole process, also models that are not passreid's, and can be called
    any number of times.
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'loads_weights_only', False):
            CheckpointLoader.register_scheme(prefix, _safe(loader), force=True)
