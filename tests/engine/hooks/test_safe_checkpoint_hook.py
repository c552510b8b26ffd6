import os

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import Kill, KilledError, quick_start

from passreid.apis import build_runner
from passreid.engine import SafeCheckpointHook
from passreid.engine.hooks import safe_checkpoint_hook
from passreid.utils.atomic_file import PARTIAL, NotSavedError, read_last_checkpoint


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


class SeenFiles(Hook):
    """Remember what is in the work directory after each iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.files = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.files.append(checkpoints(runner.work_dir))


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
    hook = {'type': 'SafeCheckpointHook', 'interval': 1, 'by_epoch': False, **hook}
    loop = {'type': 'ResumableEpochLoop', 'max_epochs': 2}
    cfg = toy_config(train_cfg=loop, resume='auto')
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['default_hooks']['checkpoint'] = hook
    return cfg


def test_as_many_are_kept_as_asked_for(toy_config, tmp_path):
    runner, seen = build_runner(config(toy_config, max_keep_ckpts=2)), SeenFiles()
    runner.register_hook(seen)
    runner.train()
    assert seen.files == [['iter_1.pth']] + [
        [f'iter_{number - 1}.pth', f'iter_{number}.pth'] for number in range(2, 9)
    ]
    assert read_last_checkpoint(tmp_path / 'run') == str(tmp_path / 'run' / 'iter_8.pth')


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

    def train(name, *hooks):
        cfg = config(toy_config, by_epoch=by_epoch, interval=1 if by_epoch else 2)
        cfg['work_dir'] = str(tmp_path / name)
        cfg['optim_wrapper']['accumulative_counts'] = 3
        runner = build_runner(cfg)
        for hook in hooks:
            runner.register_hook(hook)
        runner.train()
        return runner.model.state_dict()

    whole = train('whole')
    with pytest.raises(KilledError):
        train('killed', Kill(kill_at))
    resumed = train('killed')
    for name in ('whole', 'killed'):
        files = {
            file: torch.load(tmp_path / name / file, weights_only=True)['meta']['iter']
            for file in checkpoints(tmp_path / name)
        }
        assert files == expected
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name


def test_loop_that_begins_with_epochs_waits_for_none(toy_config, tmp_path):
    cfg = config(toy_config, by_epoch=True)
    cfg['train_cfg']['type'] = 'EpochBasedTrainLoop'
    cfg['optim_wrapper']['accumulative_counts'] = 3
    build_runner(cfg).train()
    content = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    assert content['meta']['iter'] == 4


def test_the_last_one_is_there_until_the_next_one_stands(toy_config, tmp_path, monkeypatch):
    seen, write = [], safe_checkpoint_hook.write_last_checkpoint

    def look(work_dir, checkpoint):
        seen.append((checkpoints(work_dir), read_last_checkpoint(work_dir)))
        write(work_dir, checkpoint)

    monkeypatch.setattr(safe_checkpoint_hook, 'write_last_checkpoint', look)
    build_runner(config(toy_config, max_keep_ckpts=1)).train()
    assert seen[0] == (['iter_1.pth'], None)
    assert seen[1] == (['iter_1.pth', 'iter_2.pth'], str(tmp_path / 'run' / 'iter_1.pth'))
    assert checkpoints(tmp_path / 'run') == ['iter_8.pth']


def fail(*args):
    raise KilledError


@pytest.mark.parametrize(
    'place',
    [
        'SafeCheckpointHook._remove',
        pytest.param('write_last_checkpoint', marks=pytest.mark.slow),
    ],
)
def test_what_a_kill_left_goes_with_the_next_start(toy_config, tmp_path, monkeypatch, place):
    cfg = config(toy_config, max_keep_ckpts=2)
    runner = build_runner(cfg)
    runner.register_hook(Kill(3))
    with pytest.raises(KilledError):
        runner.train()
    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(f'{safe_checkpoint_hook.__name__}.{place}', fail)
            runner = build_runner(cfg)
            with pytest.raises(KilledError):
                runner.train()
        assert len(checkpoints(tmp_path / 'run')) <= 3
    (tmp_path / 'run' / f'iter_9.pth{PARTIAL}').touch()
    seen = SeenFiles()
    runner = build_runner(cfg)
    runner.register_hook(seen)
    runner.train()
    assert checkpoints(tmp_path / 'run') == ['iter_7.pth', 'iter_8.pth']
    assert all(len(files) <= 3 for files in seen.files)


@pytest.mark.parametrize('max_keep_ckpts', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_full_disk_leaves_the_last_one(toy_config, tmp_path, monkeypatch, max_keep_ckpts):
    cfg = config(toy_config, max_keep_ckpts=max_keep_ckpts)
    runner = build_runner(cfg)
    runner.register_hook(Kill(3))
    with pytest.raises(KilledError):
        runner.train()
    before = checkpoints(tmp_path / 'run')
    with monkeypatch.context() as patch:
        patch.setattr('os.fsync', lambda _: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
        with pytest.raises(NotSavedError) as caught:
            build_runner(cfg).train()
    message = str(caught.value)
    assert f'{tmp_path}/run/iter_4.pth could not be saved: No space left on device' in message
    assert f'The last good checkpoint is {tmp_path}/run/iter_3.pth' in message
    assert checkpoints(tmp_path / 'run') == before
    build_runner(cfg).train()
    assert checkpoints(tmp_path / 'run')[-1] == 'iter_8.pth'


def best_config(toy_config, **changes):
    changes = {'by_epoch': True, 'max_keep_ckpts': 1, 'save_best': 'acc', **changes}
    cfg = config(toy_config, **changes)
    cfg['train_cfg']['max_epochs'] = 4
    return cfg


def run_best(cfg, figures, *hooks):
    runner = build_runner(cfg)
    for hook in (FigureHook(figures), *hooks):
        runner.register_hook(hook, priority='LOWEST')
    runner.train()


def test_best_one_is_there_until_the_next_best_stands(toy_config, tmp_path, monkeypatch):
    seen, save = [], safe_checkpoint_hook.SafeCheckpointHook._save

    def look(self, runner, name, *args, **kwargs):
        seen.append([name for name in checkpoints(runner.work_dir) if 'best' in name])
        save(self, runner, name, *args, **kwargs)

    monkeypatch.setattr(SafeCheckpointHook, '_save', look)
    run_best(best_config(toy_config), [0.1, 0.3, 0.2, 0.4])
    assert ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth'] in seen
    assert checkpoints(tmp_path / 'run') == ['best_acc_epoch_4.pth', 'epoch_4.pth']


def test_outdated_best_goes_with_the_next_start(toy_config, tmp_path, monkeypatch):
    cfg = best_config(toy_config)
    with monkeypatch.context() as patch:
        patch.setattr(SafeCheckpointHook, '_remove_unless_best', fail)
        with pytest.raises(KilledError):
            run_best(cfg, [0.1, 0.3])
    names = checkpoints(tmp_path / 'run')
    assert names[:2] == ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth']
    run_best(cfg, [0.1, 0.3, 0.2, 0.2])
    assert checkpoints(tmp_path / 'run') == ['best_acc_epoch_2.pth', 'epoch_4.pth']


def test_best_one_of_a_copied_directory_is_left_alone(toy_config, tmp_path):
    cfg = best_config(toy_config)
    with pytest.raises(KilledError):
        run_best(cfg, [0.1, 0.2], Kill(9))
    (tmp_path / 'run').rename(tmp_path / 'copy')
    with pytest.raises(KilledError):
        run_best(cfg, [0.1, 0.2], Kill(9))
    run_best(cfg | {'work_dir': str(tmp_path / 'copy')}, [0, 0, 0.3, 0.4])
    assert checkpoints(tmp_path / 'copy') == ['best_acc_epoch_4.pth', 'epoch_4.pth']
    assert checkpoints(tmp_path / 'run')[0] == 'best_acc_epoch_2.pth'


def test_published_model_is_whole(toy_config, tmp_path):
    cfg = config(toy_config, by_epoch=True, published_keys=['meta', 'state_dict'])
    build_runner(cfg).train()
    (published,) = (tmp_path / 'run').glob('epoch_2-*.pth')
    assert set(torch.load(published, weights_only=True)) == {'meta', 'state_dict'}
