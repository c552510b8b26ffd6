"""Checkpoints that torch's restricted unpickler accepts everywhere."""

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from passreid.registry import HOOKS

_HISTORY = 'history_buffer'


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Write checkpoints of tensors and plain values only.

    mmengine puts its log histories and numpy values into checkpoints, which
    ``torch.load(path)`` refuses by default since torch 2.6. This hook writes them as
    tensors and Python numbers and restores the histories when a run is resumed, so that a
    checkpoint loads in any program and no loader has to trust it.
    """

    # After the hooks that add their own state, before the file is written.
    priority = 'LOWEST'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace what a restricted unpickler refuses.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The checkpoint to be written. It is changed.
        """
        weights = checkpoint.pop('state_dict')
        plain = _to_plain(checkpoint)
        checkpoint.clear()
        checkpoint.update(plain, state_dict=weights)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the log histories, as mmengine's message hub expects them.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint. It is changed.
        """
        scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
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
