"""Errors of data loaders whose workers died or hang, with the names of the samples."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch.multiprocessing as multiprocessing

from passreid.utils.printable import printable

from .samples_in_work import sample_of_process

_DIED = re.compile(
    r'DataLoader worker \(pid(?:\(s\))? (?P<pids>[\d, ]+)\) '
    r'(?:exited unexpectedly|is killed by signal: (?P<signal>[^.]+))'
)
_LATE = 'DataLoader timed out after'
_ADVICE = {
    'Killed': (
        'Most likely memory ran out (the log of the system says so): use fewer num_workers, or '
        'smaller images'
    ),
    'Bus error': (
        'Most likely shared memory ran out: use fewer num_workers or a smaller batch, or enlarge '
        '/dev/shm (docker run --shm-size=8g)'
    ),
}
_OTHER = 'Look at that image first; num_workers=0 shows where it happens'


class LostWorkerError(RuntimeError):
    """A worker of a data loader died or did not answer."""


@contextmanager
def named_lost_samples() -> Iterator[None]:
    """Say which sample a worker was working on when it died, or did not answer in time.

    Raises:
        LostWorkerError: In place of torch's error, which knows the number of the process alone.
    """
    try:
        yield
    except LostWorkerError:
        raise
    except RuntimeError as error:
        explanation = _explain(_most_telling(error))
        if explanation is None:
            raise
        raise LostWorkerError(explanation) from error


def _most_telling(error: BaseException | None) -> str:
    """Return the message in the chain of errors that names a signal, else that of the last one."""
    last = str(error)
    while error is not None:
        if (found := _DIED.search(str(error))) and found['signal']:
            return str(error)
        error = error.__cause__ or error.__context__
    return last


def _explain(message: str) -> str | None:
    if found := _DIED.search(message):
        cause = found['signal']
        how = 'died' if cause is None else f'was killed by a signal ({cause})'
        pids = [int(pid) for pid in found['pids'].split(',')]
        workers = '; '.join(_of_worker(pid) for pid in pids)
        return f'A worker of a data loader {how}: {workers}. {_ADVICE.get(cause, _OTHER)}'
    if _LATE in message:
        pids = [child.pid for child in multiprocessing.active_children() if child.pid]
        known = [_of_worker(pid) for pid in pids if sample_of_process(pid)]
        workers = '; '.join(known) or 'none of them has begun a sample'
        return f'{message}. What the workers are busy with: {workers}'
    return None


def _of_worker(pid: int) -> str:
    name = sample_of_process(pid)
    return f'process {pid}, ' + (printable(name) if name else 'between two samples')
