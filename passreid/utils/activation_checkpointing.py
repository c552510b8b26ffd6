"""Recomputation of activations, by which a config saves memory, without a change of the numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any

import torch.utils.checkpoint
from mmengine.runner import activation_checkpointing
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def repair_activation_checkpointing() -> None:
    """Let ``activation_checkpointing=[...]`` of a config train the weights it would train without.

    mmengine calls :func:`torch.utils.checkpoint.checkpoint` in its old form, which leaves a module
    whose inputs need no gradient, such as a whole backbone, without any; and recomputing moves the
    running statistics of a batch normalisation a second time. It affects the whole process and can
    be called any number of times.
    """
    activation_checkpointing.wrap_forward = _recomputed


def _recomputed(forward: Callable) -> Callable:
    """Wrap the method ``forward`` of a module."""
    module: nn.Module = forward.__self__  # type: ignore[attr-defined]

    @wraps(forward)
    def wrapper(*args, **kwargs):
        return torch.utils.checkpoint.checkpoint(
            forward,
            *args,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _fixed_statistics(module)),
            **kwargs,
        )

    return wrapper


@contextmanager
def _fixed_statistics(module: nn.Module) -> Iterator[None]:
    """Normalise a batch without taking notice of it."""
    norms: list[Any] = [
        part
        for part in module.modules()
        if isinstance(part, _NormBase) and part.training and part.track_running_stats
    ]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)
