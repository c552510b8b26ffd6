import multiprocessing
import os
import signal
import threading
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_runs import quick_start

from passreid.apis import build_runner
from passreid.engine import Preempted
from passreid.engine.hooks.safe_checkpoint_hook import PREEMPTED
from passreid.utils import register_all_modules


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


class TellToEnd(Hook):
    """Send this process SIGTERM in an iteration, once or more often."""

    def __init__(self, iteration, times=1):
        self.iteration, self.times = iteration, times

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            for _ in range(self.times):
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
    yield calls
    assert signal.getsignal(signal.SIGTERM) is listen
    signal.signal(signal.SIGTERM, former)


def end(cfg, *arguments):
    runner = build_runner(cfg)
    runner.register_hook(TellToEnd(*arguments))
    with pytest.raises(Preempted) as caught:
        runner.train()
    assert caught.value.code == 143
    return runner


def test_saves_goes_on_and_tidies_up(toy_config, tmp_path, handler, capsys):
    cfg = config(toy_config)
    whole = build_runner(cfg | {'work_dir': str(tmp_path / 'whole')})
    whole.train()
    end(cfg, 3)
    assert f'after iteration 3. Saved {tmp_path}/run/{PREEMPTED}' in capsys.readouterr().out
    end(cfg, 6)
    assert {path.name for path in (tmp_path / 'run').glob('*.pth')} == {'epoch_1.pth', PREEMPTED}
    resumed = build_runner(cfg)
    resumed.train()
    assert not (tmp_path / 'run' / PREEMPTED).exists()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
    assert handler == []


@pytest.mark.parametrize(('told', 'left'), [(2, 3), (4, 6), (7, 8)])
def test_accumulated_step_comes_to_its_end_first(toy_config, tmp_path, told, left):
    """Steps of 3, 3 and 2 batches in two epochs of 4."""
    cfg = config(toy_config)
    cfg['optim_wrapper']['accumulative_counts'] = 3
    whole = build_runner(cfg | {'work_dir': str(tmp_path / 'whole')})
    whole.train()
    runner = end(cfg, told)
    assert runner.iter + 1 == left
    resumed = build_runner(cfg)
    resumed.train()
    assert resumed.iter == 8
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


def test_a_second_signal_changes_nothing(toy_config):
    end(config(toy_config), 3, 2)


def test_regular_checkpoint_of_the_iteration_is_enough(toy_config, tmp_path):
    cfg = config(toy_config)
    cfg['default_hooks']['checkpoint'] = {
        'type': 'SafeCheckpointHook',
        'by_epoch': False,
        'interval': 3,
    }
    end(cfg, 3)
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['iter_3.pth']


def test_loop_that_begins_with_epochs_only(toy_config, tmp_path, capsys):
    cfg = config(toy_config, 'EpochBasedTrainLoop')
    end(cfg, 6)
    assert 'Nothing was saved, since only ResumableEpochLoop' in capsys.readouterr().out
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']


def test_run_without_checkpoints(toy_config, tmp_path, capsys):
    cfg = config(toy_config)
    cfg['default_hooks']['checkpoint'] = None
    end(cfg, 2)
    assert 'Nothing was saved, since there is no SafeCheckpointHook' in capsys.readouterr().out
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_loop_of_iterations_goes_on_as_well(toy_config, tmp_path):
    cfg = config(toy_config)
    cfg['train_cfg'] = {'by_epoch': False, 'max_iters': 6}
    cfg['train_dataloader']['sampler'] = {'type': 'InfiniteSampler'}
    cfg['param_scheduler'] = []
    end(cfg, 2)
    runner = build_runner(cfg)
    runner.train()
    assert runner.iter == 6


def test_forked_processes_end_as_ever(toy_config):
    """A pool ends its workers by this signal and waits for them."""

    class Fork(Hook):
        def before_train_iter(self, *args, **kwargs):
            context = multiprocessing.get_context('fork')
            started = context.Event()
            child = context.Process(target=lambda: (started.set(), time.sleep(60)))
            child.start()
            started.wait()
            child.terminate()
            child.join(20)
            codes.append(child.exitcode)

    codes = []
    runner = build_runner(config(toy_config))
    runner.register_hook(Fork())
    runner.train()
    assert set(codes) == {-signal.SIGTERM}


def test_runner_of_mmengine_gives_the_signal_back(toy_config):
    register_all_modules()
    Runner.from_cfg(Config(toy_config())).train()


def test_failure_gives_the_signal_back(toy_config):
    class Fail(Hook):
        def before_train_iter(self, *args, **kwargs):
            raise ZeroDivisionError

    runner = build_runner(config(toy_config))
    runner.register_hook(Fail())
    with pytest.raises(ZeroDivisionError):
        runner.train()


def test_side_thread_trains_without_listening(toy_config, capsys):
    runner = build_runner(config(toy_config))
    thread = threading.Thread(target=runner.train)
    thread.start()
    thread.join()
    assert runner.iter == 8
    assert 'SIGTERM is not handled' in capsys.readouterr().out
