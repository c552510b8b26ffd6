"""mmengine's checkpoints, written whole or not at all, of tensors and plain values only."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.logging import HistoryBuffer
from mmengine.runner import save_checkpoint

from passreid.utils.atomic_file import save_atomically

_HISTORY = 'history_buffer'
# Where mmengine looks up the function that writes: in the runner, and to publish a model.
_MODULES = ('mmengine.runner.runner', 'mmengine.runner')


@contextmanager
def atomic_checkpoints() -> Iterator[None]:
    """Let mmengine write local checkpoints by :func:`save_atomically`.

    It would build the whole file in memory, twice, and write it under its final name. Other
    storages (``backend_args``, ``file_client_args``, addresses) are left to it. Everywhere its log
    histories and the values of numpy become tensors and Python values, so that a checkpoint loads
    in any program and no loader has to trust it; see :func:`restore_histories`.

    mmengine offers no other place for this, so its function is replaced while it saves.
    """
    modules = [import_module(name) for name in _MODULES]
    before = [vars(module)['save_checkpoint'] for module in modules]
    try:
        for module in modules:
            vars(module)['save_checkpoint'] = _write
        yield
    finally:
        for module, function in zip(modules, before, strict=True):
            vars(module)['save_checkpoint'] = function


def _write(
    checkpoint: dict[str, Any],
    filename: str,
    file_client_args: dict | None = None,
    backend_args: dict | None = None,
) -> None:
    weights = checkpoint.pop('state_dict', None)
    checkpoint = _to_plain(checkpoint) | ({} if weights is None else {'state_dict': weights})
    if _is_local(filename, file_client_args, backend_args):
        save_atomically(checkpoint, filename)
    else:
        save_checkpoint(checkpoint, filename, file_client_args, backend_args)


def _is_local(filename: str, file_client_args: dict | None, backend_args: dict | None) -> bool:
    if file_client_args is not None or '://' in filename:
        return False
    return isinstance(get_file_backend(filename, backend_args=backend_args), LocalBackend)


def restore_histories(checkpoint: dict[str, Any]) -> None:
    """Make the log histories of a checkpoint what mmengine's message hub expects, in place.

    Args:
        checkpoint (dict): The content of a file.
    """
    hub = checkpoint.get('message_hub')
    scalars = hub.get('log_scalars', {}) if isinstance(hub, dict) else {}
    for name, value in scalars.items():
        if isinstance(value, dict) and _HISTORY in value:
            values, counts = (history.cpu().numpy() for history in value[_HISTORY])
            buffer = HistoryBuffer(max_length=value['max_length'])
            buffer._log_history, buffer._count_history = values, counts
            scalars[name] = buffer


def _to_plain(value: Any) -> Any:
    """Return a copy made of dicts, lists, tuples, tensors and Python values."""
    if isinstance(value, HistoryBuffer):
        histories = tuple(torch.from_numpy(np.array(history)) for history in value.data)
        return {_HISTORY: histories, 'max_length': value.max_length}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in 'biuf' else value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        kind = type(value) if isinstance(value, OrderedDict | Counter) else dict
        return kind({key: _to_plain(child) for key, child in value.items()})
    if type(value) in (list, tuple):
        return type(value)(_to_plain(child) for child in value)
    return value
