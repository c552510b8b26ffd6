"""A disk that is full while a run saves: a clear error, and the checkpoint before survives."""

import signal
from pathlib import Path

import pytest
from killed_runs import Run, assert_equal
from tiny_runs import pass_config, reid_config, write_crops, write_people

from passreid.engine.hooks.safe_checkpoint_hook import PREEMPTED
from passreid.utils.last_checkpoint import examine, read_last_checkpoint

ROOT = Path(__file__).parents[2]
# What is being saved when the disk is full: the task, the file, and the checkpoint before.
FILES = {
    'periodic checkpoint': ('pre-training', 'iter_4.pth', 'iter_2.pth'),
    'best checkpoint': ('fine-tuning', 'best_reid_mAP_iter_4.pth', 'iter_4.pth'),
    "teacher's backbone": ('pre-training', 'teacher_backbone.pth', 'iter_8.pth'),
    'checkpoint of SIGTERM': ('pre-training', PREEMPTED, 'iter_2.pth'),
}


def config(task, folder, work_dir):
    changes = dict(
        train_cfg__max_epochs=2,
        default_hooks__checkpoint__by_epoch=False,
        default_hooks__checkpoint__interval=2,
        default_hooks__checkpoint__max_keep_ckpts=1,
    )
    if task == 'pre-training':
        return pass_config(ROOT, folder / 'crops', work_dir, **changes)
    changes |= dict(train_cfg__val_interval=1, default_hooks__checkpoint__save_best='reid/mAP')
    return reid_config(ROOT, folder / 'people', work_dir, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('disk')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


@pytest.fixture(scope='module')
def wholes(folder):
    found = {}
    for task in ('pre-training', 'fine-tuning'):
        found[task] = new_run(folder, task, f'{task} whole')
        assert found[task].go() == 0
    return found


def new_run(folder, task, name):
    path = folder / f'{name}.py'
    config(task, folder, folder / name).dump(path)
    return Run(path, folder / name)


@pytest.mark.parametrize('way', ['full disk', 'file limit'])
@pytest.mark.parametrize('what', list(FILES))
def test_full_disk(folder, wholes, tried, what, way):
    task, name, before = FILES[what]
    run = new_run(folder, task, f'{what} {way}')
    told = dict(place='in an iteration', number=3, signum=signal.SIGTERM)
    status = run.go(**(told if name == PREEMPTED else {}), full=(name, way))
    assert status == 1
    output = ' '.join(run.output().split())
    reason = 'No space left on device' if way == 'full disk' else 'File too large'
    last = run.work_dir / before
    assert f'NotSavedError: [Errno {28 if way == "full disk" else 27}]' in output
    assert f'{run.work_dir / name} could not be saved: {reason}. It needs 0.' in output
    assert 'MB are free there' in output or 'GB are free there' in output
    if name != 'teacher_backbone.pth':
        assert f'The last good checkpoint is {last}' in output
    assert Path(read_last_checkpoint(run.work_dir)) == last
    assert examine(last).damage is None
    assert run.partial() == [] and name not in run.files()
    assert run.go() == 0
    assert run.files() == wholes[task].files()
    assert_equal(run.outcome(), wholes[task].outcome())
    tried('kills', f'{way} while saving: {what}', 'clear error, resumed, weights equal')
