import multiprocessing
import os
import signal
import threading
import time

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import quick_start

from passreid.apis import build_runner
from passreid.engine import Preempted


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


class TellToEnd(Hook):
    """Send this process SIGTERM in an iteration, twice."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)


def config(toy_config, loop='ResumableEpochLoop'):
    cfg = toy_config(train_cfg={'type': loop, 'max_epochs': 2}, resume='auto')
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    return cfg


@pytest.fixture(autouse=True)
def handler():
    """Whoever listened before does so afterwards."""
    calls = []

    def listen(*args):
        calls.append(args)

    former = signal.signal(signal.SIGTERM, listen)
    yield
    assert signal.getsignal(signal.SIGTERM) is listen
    signal.signal(signal.SIGTERM, former)
    assert calls == []


def end(cfg, iteration):
    runner = build_runner(cfg)
    runner.register_hook(TellToEnd(iteration))
    with pytest.raises(Preempted) as caught:
        runner.train()
    assert caught.value.code == 143
    return runner


@pytest.mark.parametrize(
    ('counts', 'told', 'left'), [(1, 3, 3), (1, 6, 6), (3, 2, 3), (3, 4, 6), (3, 7, 8)]
)
def test_saves_goes_on_and_tidies_up(toy_config, tmp_path, capsys, counts, told, left):
    """Within an epoch, and after the end of a step of three batches."""
    cfg = config(toy_config)
    cfg['optim_wrapper']['accumulative_counts'] = counts
    whole = build_runner(cfg | {'work_dir': str(tmp_path / 'whole')})
    whole.train()
    assert end(cfg, told).iter + 1 == left
    assert f'after iteration {left}. Saved {tmp_path}/run/preempted.pth' in capsys.readouterr().out
    resumed = build_runner(cfg)
    resumed.train()
    assert resumed.iter == 8
    assert not (tmp_path / 'run' / 'preempted.pth').exists()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


@pytest.mark.parametrize(
    ('loop', 'saves', 'files'),
    [('EpochBasedTrainLoop', True, ['epoch_1.pth']), ('ResumableEpochLoop', False, [])],
)
def test_run_that_cannot_save(toy_config, tmp_path, capsys, loop, saves, files):
    cfg = config(toy_config, loop)
    if not saves:
        cfg['default_hooks']['checkpoint'] = None
    end(cfg, 6)
    assert 'Nothing was saved' in capsys.readouterr().out
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == files


def test_forked_processes_end_as_ever(toy_config):
    """A pool ends its workers by this signal and waits for them."""
    codes = []

    class Fork(Hook):
        def before_train_epoch(self, runner):
            context = multiprocessing.get_context('fork')
            started = context.Event()
            child = context.Process(target=lambda: (started.set(), time.sleep(60)))
            child.start()
            started.wait()
            child.terminate()
            child.join(20)
            codes.append(child.exitcode)

    runner = build_runner(config(toy_config))
    runner.register_hook(Fork())
    runner.train()
    assert set(codes) == {-signal.SIGTERM}


def test_failure_gives_the_signal_back(toy_config):
    class Fail(Hook):
        def before_train_iter(self, *args, **kwargs):
            raise ZeroDivisionError

    runner = build_runner(config(toy_config))
    runner.register_hook(Fail())
    with pytest.raises(ZeroDivisionError):
        runner.train()


def test_side_thread_trains_without_listening(toy_config):
    runner = build_runner(config(toy_config))
    thread = threading.Thread(target=runner.train)
    thread.start()
    thread.join()
    assert runner.iter == 8
