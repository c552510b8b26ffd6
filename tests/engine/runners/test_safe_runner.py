import os
import signal
import time
from functools import partial

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from passreid.apis import build_runner
from passreid.engine.runners.safe_runner import SafeRunner, _start_worker
from passreid.registry import RUNNERS


class Pids(Dataset):
    """Samples that say in which process they were loaded, and its group."""

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return torch.tensor([os.getpid(), os.getpgid(0)])


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
            worker_init_fn=partial(_start_worker, None),
            persistent_workers=True,
            multiprocessing_context='fork',
        )
    )


def test_workers_are_in_no_group_that_is_signalled(batches):
    found = {tuple(next(batches)[0].tolist()) for _ in range(4)}
    assert len(found) == 2
    assert all(group == pid != os.getpgid(0) for pid, group in found)
    start = time.monotonic()
    batches._shutdown_workers()
    assert all(gone(pid) for pid, _ in found)
    # They were not waited for until somebody lost patience.
    assert time.monotonic() - start < 3


def test_signal_of_their_process_ends_workers(batches):
    pids = {int(next(batches)[0, 0]) for _ in range(4)}
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert all(gone(pid) for pid in pids)


def test_init_of_the_loader_is_called(monkeypatch):
    monkeypatch.setattr(os, 'setpgid', lambda *_: None)
    calls = []
    _start_worker(calls.append, 3)
    assert calls == [3]


@RUNNERS.register_module()
class OwnRunner(SafeRunner):
    pass


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('OwnRunner', OwnRunner),
        (OwnRunner, OwnRunner),
        ('SafeRunner', SafeRunner),
        # What mmengine takes when nothing is asked for.
        ('Runner', SafeRunner),
    ],
)
def test_runner_is_the_one_that_is_asked_for(toy_config, kind, expected):
    assert type(build_runner(toy_config(runner_type=kind))) is expected


@pytest.mark.parametrize('kind', ['FlexibleRunner', 'NoSuchRunner'])
def test_other_runners_are_refused(toy_config, kind):
    with pytest.raises(ValueError, match=f'runner_type.*{kind}'):
        build_runner(toy_config(runner_type=kind))
