"""Ends of processes whose fellows died."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

# What gloo, NCCL and the store between processes say when another process is gone.
_SIGNS = ('by peer', 'Broken pipe', 'recvValue failed', 'remote process exited')


@contextmanager
def leave_the_word_to_the_first(patience: float = 10.0) -> Iterator[None]:
    """Hold back errors that only say that another process of the job is gone.

    A launcher ends the whole job when one process fails and reports what ended first, in seconds.
    The others notice the loss within milliseconds, so that the report would be theirs, and they
    print more than the one that has something to say. So they wait to be ended.

    Args:
        patience (float): Seconds to wait. Defaults to 10.

    Raises:
        RuntimeError: When nobody ended this process in that time.
    """
    try:
        yield
    except RuntimeError as error:
        if not (dist.is_initialized() and any(sign in str(error) for sign in _SIGNS)):
            raise
        rank, size = dist.get_rank(), dist.get_world_size()
        time.sleep(patience)
        raise RuntimeError(
            f'Process {rank} of {size} lost the others: one of them died, or the network failed. '
            f'Its own error is the one to look at. ({error})'
        ) from None
