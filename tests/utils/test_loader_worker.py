import os
import signal
import subprocess
import time
from functools import partial

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from passreid.utils import loader_worker
from passreid.utils.loader_worker import start_worker, watch_over_worker


class Pids(Dataset):
    """Samples that say in which process they were loaded."""

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return torch.tensor(os.getpid())


def gone(pid):
    """Wait, for seconds, until a process has ended."""
    for _ in range(600):
        try:
            with open(f'/proc/{pid}/stat') as file:
                if file.read().rpartition(')')[2].split()[0] == 'Z':
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def batches():
    return iter(
        DataLoader(
            Pids(),
            num_workers=2,
            worker_init_fn=partial(start_worker, None),
            persistent_workers=True,
            multiprocessing_context='fork',
        )
    )


def test_signal_of_others_leaves_workers_at_work(batches):
    pids = {int(next(batches)) for _ in range(4)}
    subprocess.run(['kill', '-TERM', *map(str, pids)], check=True)
    time.sleep(0.1)
    assert {int(next(batches)) for _ in range(20)} == pids
    start = time.monotonic()
    batches._shutdown_workers()
    assert all(gone(pid) for pid in pids)
    # They were not waited for until somebody lost patience.
    assert time.monotonic() - start < 3


def test_signal_of_their_process_ends_them(batches):
    pids = {int(next(batches)) for _ in range(4)}
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert all(gone(pid) for pid in pids)


def test_init_of_the_loader_is_called(monkeypatch):
    calls = []
    monkeypatch.setattr(loader_worker, 'watch_over_worker', lambda: calls.append('watched over'))
    start_worker(calls.append, 3)
    assert calls == ['watched over', 3]


def test_systems_without_sigtimedwait_are_left_alone(monkeypatch):
    monkeypatch.delattr(signal, 'sigtimedwait')
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    watch_over_worker()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
