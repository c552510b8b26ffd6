import os

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import Kill, KilledError, quick_start

from passreid.apis import build_runner
from passreid.engine import SafeCheckpointHook
from passreid.engine.hooks import safe_checkpoint_hook
from passreid.utils.last_checkpoint import read_last_checkpoint


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


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


def checkpoints(work_dir):
    return sorted(name for name in os.listdir(work_dir) if '.pth' in name)


def config(toy_config, **hook):
    """Two epochs of four iterations, with a checkpoint after each iteration."""
    loop = {'type': 'ResumableEpochLoop', 'max_epochs': 2}
    cfg = toy_config(train_cfg=loop, resume='auto')
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['default_hooks']['checkpoint'] |= {'interval': 1, 'by_epoch': False, **hook}
    return cfg


def train(cfg, *hooks):
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook, priority='LOWEST')
    runner.train()
    return runner


def test_the_last_one_is_there_until_the_next_one_stands(toy_config, tmp_path, monkeypatch):
    seen, write = [], safe_checkpoint_hook.write_last_checkpoint

    def look(work_dir, checkpoint):
        seen.append((checkpoints(work_dir), read_last_checkpoint(work_dir)))
        write(work_dir, checkpoint)

    monkeypatch.setattr(safe_checkpoint_hook, 'write_last_checkpoint', look)
    train(config(toy_config, max_keep_ckpts=1))
    assert seen[0] == (['iter_1.pth'], None)
    assert seen[1] == (['iter_1.pth', 'iter_2.pth'], str(tmp_path / 'run' / 'iter_1.pth'))
    assert checkpoints(tmp_path / 'run') == ['iter_8.pth']


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
    cfg = config(toy_config, by_epoch=by_epoch, interval=1 if by_epoch else 2)
    cfg['optim_wrapper']['accumulative_counts'] = 3
    whole = train(cfg | {'work_dir': str(tmp_path / 'whole')}).model.state_dict()
    with pytest.raises(KilledError):
        train(cfg, Kill(kill_at))
    resumed = train(cfg).model.state_dict()
    for name in ('whole', 'run'):
        files = {
            file: torch.load(tmp_path / name / file, weights_only=True)['meta']['iter']
            for file in checkpoints(tmp_path / name)
        }
        assert files == expected
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name


def best_config(toy_config):
    cfg = config(toy_config, by_epoch=True, max_keep_ckpts=1, save_best='acc')
    cfg['train_cfg']['max_epochs'] = 4
    return cfg


def test_best_one_is_there_until_the_next_best_stands(toy_config, tmp_path, monkeypatch):
    seen, save = [], safe_checkpoint_hook.write_last_checkpoint

    def look(work_dir, checkpoint):
        seen.append([name for name in checkpoints(work_dir) if 'best' in name])
        save(work_dir, checkpoint)

    monkeypatch.setattr(safe_checkpoint_hook, 'write_last_checkpoint', look)
    train(best_config(toy_config), FigureHook([0.1, 0.3, 0.2, 0.4]))
    assert ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth'] in seen
    assert checkpoints(tmp_path / 'run') == ['best_acc_epoch_4.pth', 'epoch_4.pth']


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
