"""Loading of checkpoints that cannot run code.

A pickle can name any function, so a checkpoint from elsewhere is a program. torch's restricted
unpickler (https://pytorch.org/docs/stable/notes/serialization.html#weights-only) builds tensors
and plain values only, and here the harmless classes that mmengine and the authors' scripts save.
"""

import argparse
import hashlib
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import load_file

_SWITCHES = {'TORCH_FORCE_WEIGHTS_ONLY_LOAD': '1', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '0'}


class UnsafeCheckpointError(pickle.UnpicklingError):
    """A checkpoint holds more than tensors and plain values and was not loaded."""


def _history_method(owner: Any, name: str) -> Callable:
    """Stand in for the ``getattr`` of HistoryBuffers: the real one could give ``os.system``."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'attribute {name!r} of {owner!r} is not allowed')
    return getattr(HistoryBuffer, name)


_NUMPY = {'_reconstruct': np.ndarray(0).__reduce__()[0], 'scalar': np.float64(0).__reduce__()[0]}
# What files of mmengine, DINO and PASS name, written with numpy 1 or 2.
_ALLOWED = [
    HistoryBuffer,
    (_history_method, 'builtins.getattr'),
    *((f, f'numpy.{core}.multiarray.{n}') for core in ('core', '_core') for n, f in _NUMPY.items()),
    np.ndarray,
    np.dtype,
    # All plain numbers, and text.
    *{type(np.dtype(code)) for code in '?bBhHiIlLqQefdgFDGSU'},
    argparse.Namespace,
]


@contextmanager
def _weights_only_loading(path: str | Path) -> Iterator[None]:
    """Make every ``torch.load`` inside the block refuse what could run code, and name the file.

    torch's own switch also reaches calls that ask for ``weights_only=False``. What other packages
    have allowed is not allowed here: a fork of mmengine allows the real ``getattr``.
    """
    before = {name: os.environ.get(name) for name in _SWITCHES}
    allowed = torch.serialization.get_safe_globals()
    try:
        os.environ.update(_SWITCHES)
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(_ALLOWED)
        yield
    except pickle.UnpicklingError as error:
        # What torch says ends in advice to switch the safeguard off.
        found = re.search(r'(?:GLOBAL|but got <class) (\S+)|attribute .* not allowed', str(error))
        named = found[1] or found[0] if found else 'no file of torch.save'
        raise UnsafeCheckpointError(
            f'{path} was refused: it is no checkpoint, or holds objects that could run code when '
            f'loaded ({named}). Ask its author for a state_dict of tensors and plain values only'
        ) from None
    except (ImportError, FileNotFoundError, PermissionError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # Damaged files make torch raise nearly anything.
        raise RuntimeError(
            f'{path} cannot be read, it may be damaged or out of reach: {error!r}'
        ) from error
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})


def load_checkpoint_file(path: str | Path, map_location: Any = 'cpu', **kwargs) -> Any:
    """Load a local checkpoint as :func:`torch.load`, or ``.safetensors``, but run nothing in it.

    Raises:
        UnsafeCheckpointError: When it holds anything but tensors, plain values and the
            harmless classes of mmengine, numpy and argparse; names what.
        RuntimeError: When it is damaged.
    """
    file = Path(path).expanduser()
    with _weights_only_loading(path):
        if file.suffix == '.safetensors':
            return load_file(file)
        return torch.load(file, map_location=map_location, weights_only=True, **kwargs)


def read_checkpoint(source: str | Path) -> Mapping[str, Any]:
    """Read weights as :func:`load_checkpoint_file` does, also from an address of mmengine."""
    secure_checkpoint_loading()
    content = CheckpointLoader.load_checkpoint(str(source), 'cpu', logger='silent')
    if not isinstance(content, Mapping):
        raise TypeError(f'{source} holds a {type(content).__name__}, not weights by name')
    return content


def secure_checkpoint_loading() -> None:
    """Let mmengine load checkpoints from anywhere as :func:`load_checkpoint_file` does.

    It affects the whole process, also models that are not passreid's, and can be called
    any number of times.
    """
    for prefix, loader in CheckpointLoader._schemes.items():
        if loader.__module__ != __name__:
            secured = _secured(loader) if prefix else load_checkpoint_file
            CheckpointLoader.register_scheme(prefix, secured, force=True)


def _secured(loader: Callable) -> Callable:
    def load(filename: str, map_location: Any = 'cpu') -> Any:
        folder = {}
        if filename.startswith('http'):  # Files of one name may lie at several addresses.
            digest = hashlib.sha256(filename.encode()).hexdigest()[:12]
            folder = dict(model_dir=f'{torch.hub.get_dir()}/checkpoints/{digest}')
        with _weights_only_loading(filename):
            return loader(filename, map_location, **folder)

    return load
