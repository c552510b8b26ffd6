import os
import signal
import threading

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import quick_start

from passreid.apis import build_runner
from passreid.engine import Preempted
from passreid.engine.hooks.safe_checkpoint_hook import PREEMPTED


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


def config(toy_config, loop='ResumableEpochLoop', **hook):
    cfg = toy_config(train_cfg={'type': loop, 'max_epochs': 2}, resume='auto')
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    if hook:
        cfg['custom_hooks'] = [{'type': 'PreemptionHook', **hook}]
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


def test_signal_that_comes_twice_at_once_is_one(toy_config):
    end(config(toy_config), 3, 2)


def test_second_signal_goes_to_who_listened_before(toy_config, handler):
    """In the tests that is a function, in life the system, which ends the process."""
    end(config(toy_config, patience=-1.0), 3, 2)
    assert len(handler) == 1


def test_regular_checkpoint_of_the_iteration_is_enough(toy_config, tmp_path):
    cfg = config(toy_config)
    cfg['default_hooks']['checkpoint'] = {
        'type': 'CheckpointHook',
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


def test_failure_gives_the_signal_back(toy_config):
    class Fail(Hook):
        def before_train_iter(self, *args, **kwargs):
            raise ZeroDivisionError

    runner = build_runner(config(toy_config))
    runner.register_hook(Fail())
    with pytest.raises(ZeroDivisionError):
        runner.train()


@pytest.mark.parametrize('told', [False, True])
def test_failure_knows_whether_the_process_was_told_to_end(toy_config, told):
    class Fail(Hook):
        def after_train_iter(self, *args, **kwargs):
            raise ZeroDivisionError

    runner = build_runner(config(toy_config))
    runner.register_hook(TellToEnd(1 if told else 99))
    runner.register_hook(Fail())
    with pytest.raises(ZeroDivisionError) as caught:
        runner.train()
    assert getattr(caught.value, 'told_to_end', False) == told


def test_side_thread_trains_without_listening(toy_config, capsys):
    runner = build_runner(config(toy_config))
    thread = threading.Thread(target=runner.train)
    thread.start()
    thread.join()
    assert runner.iter == 8
    assert 'SIGTERM will not be heard' in capsys.readouterr().out
