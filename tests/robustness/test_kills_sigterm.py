"""Runs that are told to end save, end with status 143 and go on as if they had not been."""

import signal
from pathlib import Path

import pytest
from killed_runs import Run, assert_equal
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

from passreid.engine.hooks.safe_checkpoint_hook import PREEMPTED
from passreid.utils.last_checkpoint import examine, read_last_checkpoint

ROOT = Path(__file__).parents[2]
STATUS = 128 + signal.SIGTERM
# Of three epochs of four iterations (without labels: of three): where, how often it was reached,
# and after which iteration the run must end. A trial of clustering comes before training.
BOUNDED = {
    'pre-training': [('in an iteration', 12, 12), ('writing a checkpoint', 20_000, 5)],
    'pre-training, accumulating': [('in an iteration', 2, 3)],
    'pre-training, uneven': [('in an iteration', 4, 4)],
    'fine-tuning': [('ranking', 1, 4)],
    'USL': [('clustering', 3, 4)],
}
FURTHER = {
    'pre-training': [('in an iteration', number, number) for number in range(1, 12)],
    'pre-training, accumulating': [('in an iteration', 4, 6), ('in an iteration', 11, 12)],
    'pre-training, uneven': [('in an iteration', 3, 3), ('writing a checkpoint', 170_000, 5)],
    'fine-tuning': [('in an iteration', 3, 3), ('ranking', 2, 8), ('in an iteration', 12, 12)],
    'USL': [('clustering', 2, 1), ('in an iteration', 3, 3), ('extracting', 5, 4)],
}


def config(task, folder, work_dir):
    changes = dict(train_cfg__max_epochs=3)
    if task.endswith('accumulating'):
        changes['optim_wrapper__accumulative_counts'] = 3
    if task.endswith('uneven'):  # 16 crops in three batches of five and one of one.
        changes['train_dataloader__batch_size'] = 5
        changes['train_dataloader__drop_last'] = False
    if task.startswith('pre-training'):
        return pass_config(ROOT, folder / 'crops', work_dir, **changes)
    changes['train_cfg__val_interval'] = 1
    make = reid_config if task == 'fine-tuning' else cluster_config
    return make(ROOT, folder / 'people', work_dir, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('sigterm')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


def new_run(folder, task, name):
    path = folder / f'{task} {name}.py'
    work_dir = folder / task / name
    config(task, folder, work_dir).dump(path)
    return Run(path, work_dir)


@pytest.mark.parametrize('task', list(BOUNDED))
def test_single_process(folder, full, tried, task):
    whole = new_run(folder, task, 'whole')
    assert whole.go() == 0
    plans = BOUNDED[task] + (FURTHER[task] if full else [])
    for number, (place, count, end) in enumerate(plans):
        run = new_run(folder, task, str(number))
        assert run.go(place, count, signal.SIGTERM) == STATUS
        assert max(run.seen()) + 1 == end
        last = Path(read_last_checkpoint(run.work_dir))
        assert examine(last).progress.iteration == end
        assert 'Traceback' not in run.output()
        assert 'Told to end (SIGTERM)' in run.output()
        assert run.go() == 0
        assert run.files() == whole.files()
        assert run.seen() == whole.seen()
        assert_equal(run.outcome(), whole.outcome())
        tried('kills', f'{task}: SIGTERM, {place}', 'saved, status 143, resumed, weights equal')


def test_told_to_end_again_and_again(folder, tried):
    """There is one such checkpoint at most, and none when the run has come to its end."""
    whole, run = (new_run(folder, 'pre-training', name) for name in ('whole 2', 'often'))
    assert whole.go() == 0
    for end in (1, 2, 3):
        assert run.go('in an iteration', 1, signal.SIGTERM) == STATUS
        assert run.files() == [PREEMPTED]
        assert examine(run.work_dir / PREEMPTED).progress.iteration == end
    assert run.go() == 0
    assert run.files() == whole.files()
    assert run.seen() == whole.seen()
    assert_equal(run.outcome(), whole.outcome())
    tried('kills', 'pre-training: SIGTERM in each iteration', 'one checkpoint, weights equal', 3)
