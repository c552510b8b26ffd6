"""Checkpoints of tensors and plain values, which load in any program and need no trust."""

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

_HISTORY = 'history_buffer'


def to_plain(value: Any) -> Any:
    """Return nested values as dicts, lists, tuples, tensors on the CPU and Python values."""
    if isinstance(value, HistoryBuffer):
        histories = tuple(torch.from_numpy(np.array(history)) for history in value.data)
        return {_HISTORY: histories, 'max_length': value.max_length}
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy()) if value.dtype.kind in 'biuf' else value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        kind = type(value) if isinstance(value, OrderedDict | Counter) else dict
        return kind({key: to_plain(child) for key, child in value.items()})
    if type(value) in (list, tuple):
        return type(value)(to_plain(child) for child in value)
    return value


def restore_histories(checkpoint: dict[str, Any]) -> None:
    """Make the log histories of a checkpoint what mmengine's message hub expects, in place."""
    scalars = (checkpoint.get('message_hub') or {}).get('log_scalars', {})
    for name, value in scalars.items():
        if isinstance(value, dict) and _HISTORY in value:
            values, counts = (history.cpu().numpy() for history in value[_HISTORY])
            scalars[name] = HistoryBuffer(values, counts, value['max_length'])
