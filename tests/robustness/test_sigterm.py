"""Runs that are told to end save, end with status 143 and go on as if nothing had been."""

import signal

import pytest

STATUS = 128 + signal.SIGTERM
WORKERS = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)
ACCUMULATING = dict(optim_wrapper__accumulative_counts=3)
# By name the task, its settings, when it is told, and the iteration after which it ends: epochs
# have four, without labels three. Clustering is tried once before training.
CASES = {
    'iteration': ('pre-training', {}, dict(before='iteration', number=6), 6),
    'last iteration': ('pre-training', {}, dict(before='iteration', number=12), 12),
    'accumulating': ('pre-training', ACCUMULATING, dict(before='iteration', number=2), 3),
    'saving': ('pre-training', {}, dict(before='os.replace', suffix='epoch_1.pth'), 5),
    'validation': (
        'fine-tuning',
        dict(train_cfg__val_interval=1),
        dict(before='passreid.evaluation.ReIDMetric.evaluate'),
        5,
    ),
    'clustering': ('USL', {}, dict(before='sklearn.cluster.DBSCAN.fit', number=3), 4),
}


def settings(changes):
    return dict(train_cfg__max_epochs=3, **changes)


def assert_saved(run, ended, iteration):
    assert ended.status == STATUS, ended.output
    assert 'SIGTERM' in ended.output and 'Traceback' not in ended.output
    assert run.last()['meta']['iter'] == iteration


@pytest.mark.parametrize('case', CASES)
def test_told_to_end(tiny_run, whole_run, case):
    task, changes, interruption, iteration = CASES[case]
    run = tiny_run(task, **settings(changes))
    assert_saved(run, run.go(dict(way='terminate', **interruption)), iteration)
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task, **settings(changes)))


def test_told_with_its_workers_again_and_again(tiny_run, whole_run):
    """As a scheduler tells it; there is one checkpoint of this kind at most."""
    run = tiny_run('pre-training', **settings(WORKERS))
    for iteration in (2, 3):
        interruption = dict(way='terminate group', before='iteration', number=iteration)
        assert_saved(run, run.go(interruption), iteration)
        assert len(run.checkpoints()) == 1
    assert run.go().status == 0
    run.assert_ends_as(whole_run('pre-training', **settings({})))


def test_one_of_two_processes_is_told(tiny_run):
    """All stop after the same iteration."""
    changes = settings(dict(train_dataloader__batch_size=2, default_hooks__preemption__interval=1))
    whole, run = tiny_run('pre-training', **changes), tiny_run('pre-training', **changes)
    assert whole.go(number=2).status == 0
    interruption = dict(way='terminate', before='iteration', number=2, rank=1)
    ended = run.go(interruption, number=2)
    assert ended.status == 1 and f'exitcode  : {STATUS}' in ended.report
    assert ended.output.count('Saved') == 1, ended.output
    assert 2 <= run.last()['meta']['iter'] <= 3
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole)
