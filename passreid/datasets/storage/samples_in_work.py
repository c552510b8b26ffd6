"""What each worker of a data loader is working on, visible from outside."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import get_spawning_popen

import torch
from torch import Tensor

from .worker_row import WORKER_ROWS, worker_row

_LONGEST = 496
_ALL: weakref.WeakSet['SamplesInWork'] = weakref.WeakSet()


class SamplesInWork:
    """A table in shared memory in which each worker notes the sample it has begun.

    A worker that is killed, by the system for want of memory or by a fault in a decoder, cannot say
    what it was doing. Its note stays.

    Args:
        table (tuple[Tensor, Tensor], optional): That of the process which spawned this one.
    """

    def __init__(self, table: tuple[Tensor, Tensor] | None = None) -> None:
        # Process and length of the name in bytes (0: none in work); name.
        self._table: tuple[Tensor, Tensor] = table or (
            torch.zeros(WORKER_ROWS, 2, dtype=torch.int64).share_memory_(),
            torch.zeros(WORKER_ROWS, _LONGEST, dtype=torch.uint8).share_memory_(),
        )
        _ALL.add(self)

    @contextmanager
    def begun(self, name: str) -> Iterator[None]:
        """Note a sample for the time in which it is made.

        Args:
            name (str): Path of the image; of a long one the end is kept.
        """
        row, written = worker_row(), os.fsencode(name)[-_LONGEST:]
        numbers, names = (part.numpy()[row] for part in self._table)
        names[: len(written)] = memoryview(written)
        numbers[:] = os.getpid(), len(written)
        try:
            yield
        finally:
            numbers[1] = 0

    def of_process(self, pid: int) -> str | None:
        """Return the sample that a process had begun, None when there is none.

        Args:
            pid (int): The process, which may be dead.
        """
        numbers, names = (part.numpy() for part in self._table)
        (rows,) = ((numbers[:, 0] == pid) & (numbers[:, 1] > 0)).nonzero()
        if not len(rows):
            return None
        return os.fsdecode(names[rows[0], : numbers[rows[0], 1]].tobytes())

    def __reduce__(self):
        """Share the table with workers that are spawned; other copies get one of their own."""
        spawned = get_spawning_popen() is not None
        return SamplesInWork, (self._table,) if spawned else ()

    def __deepcopy__(self, memo: dict) -> 'SamplesInWork':
        """A table of its own."""
        return SamplesInWork()


def sample_of_process(pid: int) -> str | None:
    """Return the sample of any data set of this process that a worker had begun.

    Args:
        pid (int): The worker, which may be dead.
    """
    return next((name for table in list(_ALL) if (name := table.of_process(pid))), None)
