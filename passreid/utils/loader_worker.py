"""Workers of data loaders that outlive a signal, and do not outlive their process."""

import os
import signal
import threading
import time
from collections.abc import Callable

_POLL = 1.0
_PATIENCE = 10.0
_forking = threading.local()


def _block_while_forking() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _as_before_forking() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


# Threads that libraries such as gRPC start anew in a child inherit this: else they would take the
# signals that the thread of :func:`watch_over_worker` waits for.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(
        before=_block_while_forking,
        after_in_parent=_as_before_forking,
        after_in_child=_as_before_forking,
    )


def start_worker(init: Callable[[int], None] | None, worker_id: int) -> None:
    """Begin a worker: as :func:`watch_over_worker` says, then with what the loader asks for.

    Args:
        init (Callable, optional): The ``worker_init_fn`` of the data loader.
        worker_id (int): Number of the worker.
    """
    watch_over_worker()
    if init is not None:
        init(worker_id)


def watch_over_worker() -> None:
    """Let the worker end with its process, and not by a SIGTERM that was meant for that.

    Schedulers and shells send a signal to all processes of a job. The training that then wants to
    save and end would fail if its workers were gone. So a worker takes SIGTERM from its own process
    at once, and from others at the second time only. One whose process was killed ends within a
    second, even when it waits for somebody to take its batch, which torch's own watch does not see.

    Where the system cannot tell who sent a signal (macOS), nothing is changed.
    """
    if not hasattr(signal, 'sigtimedwait'):
        return
    # Before the thread begins, which inherits it: the signal waits until the thread fetches it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    first: float | None = None
    while os.getppid() == parent:
        received = signal.sigtimedwait({signal.SIGTERM}, _POLL)
        if received is None:
            continue
        now = time.monotonic()
        first = first or now
        if received.si_pid == parent or now - first > _PATIENCE:
            break
    os._exit(0)
