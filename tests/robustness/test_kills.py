"""Runs that are killed again and again end with the weights of one that was not."""

import signal
import time
from pathlib import Path

import pytest
from killed_runs import PLACES, STARTED, Run, assert_equal, moments
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

ROOT = Path(__file__).parents[2]
KEPT = 2
KILLED = -signal.SIGKILL
OUTCOME = 'resumed, weights equal'
COMMON = dict(
    train_cfg__max_epochs=3,
    default_hooks__checkpoint__by_epoch=False,
    default_hooks__checkpoint__interval=2,
    default_hooks__checkpoint__max_keep_ckpts=KEPT,
)
WITH_BEST = dict(train_cfg__val_interval=1, default_hooks__checkpoint__save_best='reid/mAP')
# How often each place can be met, or how many bytes are written, in a run that nothing stops.
NUMBERS = {
    'writing a checkpoint': [1, 30_000, 170_000],
    'before it takes its name': [1, 4],
    'before last_checkpoint is written': [1, 3],
    'writing last_checkpoint': [1, 2],
    'before the oldest is removed': [1, 2],
    'clustering': [2, 3],
    'extracting': [3],
    'ranking': [1, 3],
    'in an iteration': [5],
}
ELSEWHERE = {
    'pre-training': ('clustering', 'extracting', 'ranking'),
    'fine-tuning': ('clustering', 'extracting'),
    'USL': (),
}
BOUNDED = {
    'pre-training': [('writing a checkpoint', 170_000), ('before the oldest is removed', 1)],
    'fine-tuning': [('writing last_checkpoint', 2), ('before it takes its name', 2)],
    'USL': [('clustering', 2), ('before last_checkpoint is written', 2)],
}


def config(task, folder, work_dir):
    if task == 'pre-training':
        return pass_config(ROOT, folder / 'crops', work_dir, **COMMON)
    make = reid_config if task == 'fine-tuning' else cluster_config
    return make(ROOT, folder / 'people', work_dir, **COMMON, **WITH_BEST)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('kills')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


@pytest.fixture(scope='module', params=['pre-training', 'fine-tuning', 'USL'])
def task(request):
    return request.param


@pytest.fixture(scope='module')
def whole(folder, task):
    """A run that nothing stops, and the seconds that its training takes."""
    run = new_run(folder, task, 'whole')
    assert run.go() == 0
    return run, time.time() - (run.work_dir / STARTED).stat().st_mtime


def new_run(folder, task, name):
    work_dir = folder / task / name
    path = folder / f'{task} {name}.py'
    config(task, folder, work_dir).dump(path)
    return Run(path, work_dir)


def check_what_is_left(run):
    regular = [name for name in run.files() if name.startswith('iter_')]
    assert len(regular) <= KEPT + 1
    assert len(run.partial()) <= 1


def check_the_end(run, whole):
    assert run.go() == 0
    assert run.files() == whole.files()
    assert run.partial() == []
    assert run.seen() == whole.seen()
    assert_equal(run.outcome(), whole.outcome())


def test_killed_at_a_place(folder, task, whole, full, tried):
    places = [place for place in PLACES if place not in ELSEWHERE[task]]
    plans = [(place, number) for place in places for number in NUMBERS[place]]
    run = new_run(folder, task, 'killed at places')
    killed = []
    for place, number in plans if full else BOUNDED[task]:
        if run.go(place, number) == 0:  # The end came first.
            check_the_end(run, whole[0])
            run = new_run(folder, task, f'killed {place} {number}')
            assert run.go(place, number) == KILLED
        check_what_is_left(run)
        killed.append(place)
    check_the_end(run, whole[0])
    for place in killed:
        tried('kills', f'{task}: {place}', OUTCOME)


def test_killed_at_random_moments(folder, task, whole, full, tried):
    number = 10 if full else 2
    killed, attempts = 0, 0
    while killed < number:
        run = new_run(folder, task, f'killed at random {attempts}')
        for moment in moments(f'{task} {attempts}', number - killed, whole[1]):
            if run.go(after=moment) == 0:
                break
            check_what_is_left(run)
            killed += 1
        check_the_end(run, whole[0])
        attempts += 1
    tried('kills', f'{task}: at a random moment', OUTCOME, killed)
