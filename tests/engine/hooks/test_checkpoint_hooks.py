import os
import signal
import threading
import time

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import Kill, KilledError

from passreid.apis import build_runner
from passreid.engine import SafeCheckpointHook
from passreid.engine.hooks import checkpoint_hooks
from passreid.utils.atomic_file import PARTIAL, atomic_file


@pytest.fixture(autouse=True)
def handler():
    """Whoever listened to SIGTERM before does so afterwards."""
    calls = []
    former = signal.signal(signal.SIGTERM, lambda *args: calls.append(args))
    listen = signal.getsignal(signal.SIGTERM)
    yield
    assert signal.getsignal(signal.SIGTERM) is listen and calls == []
    signal.signal(signal.SIGTERM, former)


class FigureHook(Hook):
    """Report figures as if there had been validations, before checkpoints are chosen by them."""

    def __init__(self, figures):
        self.figures = figures

    def after_train_epoch(self, runner):
        figure = self.figures[runner.epoch]
        (hook,) = (one for one in runner.hooks if isinstance(one, SafeCheckpointHook))
        # As after the epoch, whose number mmengine raises only then.
        runner.train_loop._epoch += 1
        hook.after_val_epoch(runner, {'acc': figure})
        runner.train_loop._epoch -= 1


class Before(Hook):
    """Do something before an iteration."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            self.action()


def checkpoints(work_dir):
    return sorted(name for name in os.listdir(work_dir) if '.pth' in name)


def config(toy_config, loop='ResumableEpochLoop', counts=1, **hook):
    """Two epochs of four iterations, which go on by themselves."""
    cfg = toy_config(train_cfg={'type': loop, 'max_epochs': 2}, resume='auto')
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['default_hooks']['checkpoint'] |= hook
    cfg['optim_wrapper']['accumulative_counts'] = counts
    return cfg


def train(cfg, *hooks):
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook, priority='LOWEST')
    runner.train()
    return runner


def assert_same_weights(own, other):
    for name, value in other.model.state_dict().items():
        assert torch.equal(own.model.state_dict()[name], value), name


def test_the_last_one_is_there_until_the_next_one_stands(toy_config, tmp_path, monkeypatch):
    """The best one, too."""
    seen = []

    def look(pointer):
        seen.append((checkpoints(pointer.parent), pointer.read_text() if seen else None))
        return atomic_file(pointer)

    monkeypatch.setattr(checkpoint_hooks, 'atomic_file', look)
    (tmp_path / 'run').mkdir()
    left = [tmp_path / 'run' / f'iter_1{end}' for end in (PARTIAL, '.partial')]
    for path in left:
        path.touch()
    train(config(toy_config, max_keep_ckpts=1, interval=1, by_epoch=False))
    assert seen[0] == (['iter_1.pth'], None)
    assert seen[1] == (['iter_1.pth', 'iter_2.pth'], str(tmp_path / 'run' / 'iter_1.pth'))
    assert checkpoints(tmp_path / 'run') == ['iter_8.pth']
    assert [path.exists() for path in left] == [False, True]
    seen.clear()
    cfg = best_config(toy_config) | {'work_dir': str(tmp_path / 'best')}
    train(cfg, FigureHook([0.1, 0.3, 0.2, 0.4]))
    best = [[name for name in names if 'best' in name] for names, _ in seen]
    assert ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth'] in best
    assert checkpoints(tmp_path / 'best') == ['best_acc_epoch_4.pth', 'epoch_4.pth']


@pytest.mark.parametrize(
    ('by_epoch', 'kill_at', 'expected'),
    [
        (False, 5, {'iter_3.pth': 3, 'iter_6.pth': 6, 'iter_8.pth': 8}),
        (True, 7, {'epoch_1.pth': 6, 'epoch_2.pth': 8}),
    ],
)
def test_accumulated_steps_come_to_their_end_first(
    toy_config, tmp_path, by_epoch, kill_at, expected
):
    """8 batches in steps of 3, 3 and 2; checkpoints are due after 2, 4, 6 and 8, or 4 and 8."""
    cfg = config(toy_config, counts=3, by_epoch=by_epoch, interval=1 if by_epoch else 2)
    whole = train(cfg | {'work_dir': str(tmp_path / 'whole')})
    with pytest.raises(KilledError):
        train(cfg, Kill(kill_at))
    assert_same_weights(train(cfg), whole)
    for name in ('whole', 'run'):
        files = {
            file: torch.load(tmp_path / name / file, weights_only=True)['meta']['iter']
            for file in checkpoints(tmp_path / name)
        }
        assert files == expected


def best_config(toy_config):
    cfg = config(toy_config, interval=1, max_keep_ckpts=1, save_best='acc')
    cfg['train_cfg']['max_epochs'] = 4
    return cfg


def test_best_one_by_a_figure_that_there_is_not(toy_config):
    with pytest.raises(ValueError, match=r"save_best: .*'acc'.* no \['accuracy'\]"):
        train(config(toy_config, interval=1, save_best='accuracy'), FigureHook([0.1]))


def test_best_one_of_a_copied_directory_is_left_alone(toy_config, tmp_path):
    cfg, figures = best_config(toy_config), FigureHook([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(KilledError):
        train(cfg, figures, Kill(9))
    (tmp_path / 'run').rename(tmp_path / 'copy')
    with pytest.raises(KilledError):
        train(cfg, figures, Kill(9))
    train(cfg | {'work_dir': str(tmp_path / 'copy')}, figures)
    assert checkpoints(tmp_path / 'copy') == ['best_acc_epoch_4.pth', 'epoch_4.pth']
    assert checkpoints(tmp_path / 'run')[0] == 'best_acc_epoch_2.pth'


def end(cfg, iteration):
    """Tell a run to end, twice, and return after how many iterations it does."""
    runner = build_runner(cfg)
    runner.register_hook(
        Before(iteration, lambda: [os.kill(os.getpid(), signal.SIGTERM) for _ in range(2)])
    )
    with pytest.raises(SystemExit) as caught:
        runner.train()
    assert caught.value.code == 143
    return runner.iter + 1


@pytest.mark.parametrize(
    ('counts', 'told', 'left'), [(1, 3, 3), (1, 6, 6), (3, 2, 3), (3, 4, 6), (3, 7, 8)]
)
def test_told_to_end_it_saves_goes_on_and_tidies_up(toy_config, tmp_path, counts, told, left):
    """Within an epoch, and after the end of a step of three batches."""
    cfg = config(toy_config, counts=counts)
    whole = train(cfg | {'work_dir': str(tmp_path / 'whole')})
    assert end(cfg, told) == left
    saved = torch.load(tmp_path / 'run' / 'preempted.pth', weights_only=True)
    assert saved['meta']['iter'] == left
    resumed = train(cfg)
    assert resumed.iter == 8
    assert not (tmp_path / 'run' / 'preempted.pth').exists()
    assert_same_weights(resumed, whole)


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


def test_failure_gives_the_signal_back(toy_config):
    with pytest.raises(ZeroDivisionError):
        train(config(toy_config), Before(1, lambda: 1 / 0))


def test_side_thread_trains_without_listening(toy_config):
    runner = build_runner(config(toy_config))
    thread = threading.Thread(target=runner.train)
    thread.start()
    thread.join()
    assert runner.iter == 8


def test_forked_process_ends_on_the_signal(toy_config):
    """Otherwise a pool that a program makes while it trains would never end."""
    ends = []

    def fork():
        reading, writing = os.pipe()
        if child := os.fork():
            os.read(reading, 1)
            os.kill(child, signal.SIGTERM)
            ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        else:
            os.write(writing, b'.')
            time.sleep(60)
            os._exit(0)

    train(config(toy_config), Before(2, fork))
    assert ends == [128 + signal.SIGTERM]
