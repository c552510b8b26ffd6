"""Runs that are told to end save, end with status 143 and go on as if nothing had been."""

import signal

import pytest

STATUS = 128 + signal.SIGTERM
WORKERS = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)
# By name the task, when it is told, and the iteration after which it ends: epochs have four,
# without labels three. Clustering is tried once before training.
CASES = {
    'saving': ('pre-training', dict(before='os.replace', suffix='iter_4.pth'), 4),
    'validation': ('fine-tuning', dict(before='passreid.evaluation.ReIDMetric.evaluate'), 5),
    'clustering': ('USL', dict(before='sklearn.cluster.DBSCAN.fit', number=3), 4),
}


def assert_saved(run, ended, iteration):
    assert ended.status == STATUS, ended.output
    assert 'SIGTERM' in ended.output and 'Traceback' not in ended.output
    assert run.last()['meta']['iter'] == iteration


@pytest.mark.parametrize('case', CASES)
def test_told_to_end(saving_run, whole_run, case):
    task, interruption, iteration = CASES[case]
    run = saving_run(task)
    assert_saved(run, run.go(dict(way='terminate', **interruption)), iteration)
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task))


def test_told_with_its_workers_again_and_again(saving_run, whole_run):
    """As a scheduler tells it; there is one checkpoint of this kind at most."""
    run = saving_run('pre-training', **WORKERS)
    for iteration in (3, 5):
        interruption = dict(way='terminate group', before='iteration', number=iteration)
        assert_saved(run, run.go(interruption), iteration)
        assert len([name for name in run.checkpoints() if name.startswith('preempted')]) == 1
    assert run.go().status == 0
    run.assert_ends_as(whole_run('pre-training'))


def test_one_of_two_processes_is_told(saving_run, whole_run):
    """All stop after the same iteration."""
    run = saving_run('pre-training', 2)
    interruption = dict(way='terminate', before='iteration', number=2, rank=1)
    ended = run.go(interruption, number=2)
    assert ended.status == 1 and f'exitcode  : {STATUS}' in ended.report
    assert ended.output.count('Saved') == 1, ended.output
    assert 2 <= run.last()['meta']['iter'] <= 3
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole_run('pre-training', 2))
