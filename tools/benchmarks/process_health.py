"""What a running process holds: memory, files, threads. Linux only."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024


@dataclass(frozen=True)
class ProcessHealth:
    """Figures of a process, memory in bytes.

    Attributes:
        resident: All its pages that are in memory.
        shared_out: The same, pages that several processes map counted in parts ("PSS").
        own: Pages that it alone has written to; they go when it ends.
        files: Open files, sockets and pipes.
        threads: Threads.
    """

    resident: int
    shared_out: int
    own: int
    files: int
    threads: int


def read_health(pid: int | None = None) -> ProcessHealth:
    """Read the figures of a process.

    Args:
        pid (int, optional): The process. Defaults to this one.
    """
    folder = Path('/proc') / str(pid or os.getpid())
    sizes = {
        name: int(value.split()[0]) * _KIB
        for name, _, value in (
            line.partition(':') for line in (folder / 'smaps_rollup').read_text().splitlines()[1:]
        )
    }
    return ProcessHealth(
        resident=sizes['Rss'],
        shared_out=sizes['Pss'],
        own=sizes['Private_Dirty'],
        files=len(list((folder / 'fd').iterdir())),
        threads=len(list((folder / 'task').iterdir())),
    )


def shared_memory_files(pids: Iterable[int]) -> int:
    """Count the files that torch has in the shared memory of the machine for some processes.

    Args:
        pids (Iterable[int]): The processes.
    """
    return sum(len(list(Path('/dev/shm').glob(f'torch_{pid}_*'))) for pid in pids)
