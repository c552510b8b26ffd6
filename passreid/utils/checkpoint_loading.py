"""Loading of checkpoints that cannot run code.

A pickle can name any function, so a checkpoint from elsewhere is a program. torch's
restricted unpickler (``weights_only=True``) builds tensors and plain values only. Here it is
called with a list of harmless classes that mmengine and the authors' scripts put in their files,
and with nothing that other packages allow.
https://pytorch.org/docs/stable/notes/serialization.html#weights-only
"""

import argparse
import errno
import hashlib
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import barrier
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as host
from mmengine.runner.checkpoint import CheckpointLoader

_FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_FORCE_NOT = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
_HISTORY_METHODS = ('min', 'max', 'mean', 'current')
# All plain numbers, and text.
_DTYPE_CODES = '?bBhHiIlLqQefdgFDGSU'


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
    return [
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        *numpy_functions,
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in _DTYPE_CODES},
        argparse.Namespace,
    ]


@contextmanager
def weights_only_loading() -> Iterator[None]:
    """Make every ``torch.load`` inside the block refuse what could run code.

    torch's own switch also reaches calls that ask for ``weights_only=False``, such as that of
    ``torch.export``. What other packages have allowed is not allowed here: the real ``getattr``,
    which a fork of mmengine allows, is remote code execution.
    """
    before = {name: os.environ.pop(name, None) for name in (_FORCE, _FORCE_NOT)}
    allowed = torch.serialization.get_safe_globals()
    os.environ[_FORCE] = '1'
    try:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(_safe_globals())
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)
        os.environ.pop(_FORCE)
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def _readable_errors(path: str | Path) -> Iterator[None]:
    """Name the file, and never advise to switch the safeguard off, as torch does."""
    try:
        yield
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpointError(
            f'{path} was refused: it is no checkpoint, or holds objects that could run code when '
            f'loaded ({_offender(error, path)}). Ask its author for a file of tensors and plain '
            "values only, such as torch.save({'state_dict': model.state_dict()}, path)."
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


def _offender(error: pickle.UnpicklingError, path: str | Path) -> str:
    """Return what torch objects to, without its advice to allow it."""
    text = str(error).rpartition('WeightsUnpickler error:')[2]
    found = re.search(r'GLOBAL (\S+)|(attribute .* is not allowed)', text)
    if found:
        return found.group(1) or found.group(2)
    return f'it names {", ".join(_named_objects(path)) or "nothing"}'


def _named_objects(path: str | Path) -> list[str]:
    """Return the classes and functions that a file names, without loading it."""
    names: list[str] = []
    texts: list[str] = []
    try:
        data = Path(path).expanduser().read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                data = archive.read(next(n for n in archive.namelist() if n.endswith('data.pkl')))
        for operation, argument, _ in pickletools.genops(data):
            if operation.name == 'GLOBAL':
                names.append(str(argument).replace(' ', '.'))
            elif operation.name == 'STACK_GLOBAL':
                names.append('.'.join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except Exception:  # Whatever a damaged file makes of a reader.
        pass
    return list(dict.fromkeys(names))


def load_checkpoint_file(path: str | Path, map_location: Any = 'cpu', **kwargs) -> Any:
    """Load a local checkpoint without running anything it may contain.

    Args:
        path (str | Path): The file.
        map_location: As in :func:`torch.load`. Defaults to 'cpu'.
        **kwargs: Of :func:`torch.load`, such as ``mmap``.

    Returns:
        Any: What was saved, usually a dict.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds anything but tensors, plain values and the
            harmless classes of mmengine, numpy and argparse; names what.
        RuntimeError: When it is damaged.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}')
    with _readable_errors(path), weights_only_loading():
        return torch.load(file, map_location=map_location, weights_only=True, **kwargs)


def read_checkpoint(source: str | Path) -> Mapping[str, Any]:
    """Read a file of weights, wherever it is, without running anything it may contain.

    Args:
        source (str | Path): A local file, of torch or ``.safetensors``, or an address
            (``https://...``, ``torchvision://...``, ``openmmlab://...``).

    Returns:
        Mapping[str, Any]: The content, on the CPU.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds what could run code.
        RuntimeError: When it is damaged.
        TypeError: When it holds something else than weights by name.
    """
    secure_checkpoint_loading()
    content = CheckpointLoader.load_checkpoint(str(source), 'cpu', logger='silent')
    if not isinstance(content, Mapping):
        raise TypeError(
            f'{source} holds a {type(content).__name__}, not weights by name. Save the state_dict '
            'of the model instead of the model itself'
        )
    return content


def secure_checkpoint_loading() -> None:
    """Let mmengine load checkpoints from anywhere by the functions of this module.

    It affects the whole process, also models that are not passreid's, and can be called
    any number of times. Storages of a company of their own (``s3://``, ``pavi://``) are refused.
    """
    for prefix in CheckpointLoader._schemes:
        loader = _LOADERS.get(prefix, _load_from_elsewhere)
        CheckpointLoader.register_scheme(prefix, loader, force=True)


def _load_from_local(filename: str, map_location: Any = 'cpu') -> Any:
    if Path(filename).suffix != '.safetensors':
        return load_checkpoint_file(filename, map_location)
    if not Path(filename).is_file():
        raise FileNotFoundError(f'There is no checkpoint {filename}')
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(
            f'{filename} needs an optional package: pip install safetensors'
        ) from error
    try:
        return load_file(filename)
    except SafetensorError as error:
        raise damaged_file(filename, str(error)) from error


def _load_from_http(filename: str, map_location: Any = 'cpu') -> Any:
    """Download into torch's folder for checkpoints, once on a machine, and load."""
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    # Files of one name may lie at several addresses.
    digest = hashlib.sha256(filename.encode()).hexdigest()[:12]
    path = folder / f'{digest}_{os.path.basename(urlparse(filename).path)}'
    if os.environ.get('LOCAL_RANK', '0') == '0' and not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(filename, str(path))
    barrier()
    return load_checkpoint_file(path, map_location)


def _load_from_torchvision(filename: str, map_location: Any = 'cpu') -> Any:
    return _load_named(filename, host.get_torchvision_models(), map_location)


def _load_from_openmmlab(filename: str, map_location: Any = 'cpu') -> Any:
    return _load_named(filename, host.get_external_models(), map_location)


def _load_named(filename: str, addresses: Mapping[str, str], map_location: Any) -> Any:
    name = filename.partition('://')[2]
    if name not in addresses:
        raise ValueError(f'There are no weights called {filename}')
    return _load_from_http(addresses[name], map_location)


def _load_from_elsewhere(filename: str, map_location: Any = 'cpu') -> Any:
    raise ValueError(f'Cannot load {filename} safely: download the file and name its path')


_LOADERS = {
    '': _load_from_local,
    **dict.fromkeys(('http://', 'https://'), _load_from_http),
    **dict.fromkeys(('torchvision://', 'modelzoo://'), _load_from_torchvision),
    **dict.fromkeys(('openmmlab://', 'open-mmlab://'), _load_from_openmmlab),
}
