"""Ends of processes whose fellows died."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

# What gloo, NCCL and the store between processes say when another process is gone.
_SIGNS = ('by peer', 'Broken pipe', 'recvValue failed', 'remote process exited')


def note_told_to_end(error: BaseException | None) -> None:
    """Note on an error that the process had been told to end before.

    Args:
        error (BaseException, optional): The error on its way, if there is one.
    """
    if error is not None:
        error.told_to_end = True  # type: ignore[attr-defined]


@contextmanager
def leave_the_word_to_the_first(patience: float = 10.0) -> Iterator[None]:
    """Hold back errors that only say that another process of the job is gone.

    A launcher ends the whole job when one process fails and reports what ended first, in seconds.
    The others notice the loss within milliseconds, so that the report would be theirs, and they
    print more than the one that has something to say. So they wait to be ended; one that was told
    to end already (:func:`note_told_to_end`) does so at once.

    Args:
        patience (float): Seconds to wait. Defaults to 10.

    Raises:
        SystemExit: When this process had been told to end, with the status of SIGTERM.
        RuntimeError: When nobody ended this process in that time.
    """
    try:
        yield
    except RuntimeError as error:
        if not (dist.is_initialized() and any(sign in str(error) for sign in _SIGNS)):
            raise
        if getattr(error, 'told_to_end', False):
            raise SystemExit(128 + signal.SIGTERM) from error
        rank, size = dist.get_rank(), dist.get_world_size()
        time.sleep(patience)
        raise RuntimeError(
            f'Process {rank} of {size} lost the others: one of them died, or the network failed. '
            f'Its own error is the one to look at. ({error})'
        ) from None
