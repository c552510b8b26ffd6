"""A process that dies ends the job at once, and the job can be resumed."""

import pytest
from processes import MESSAGE, run_tool

# What gloo says when another process is gone.
LOST = ('by peer', 'Broken pipe', 'recvValue failed', 'remote process exited')
FETCHING = 'torch.utils.data._utils.fetch._MapDatasetFetcher.fetch'
METRIC = 'passreid.evaluation.ReIDMetric'
# The task, what happens, and what the job says of it.
CASES = {
    'error': ('pre-training', dict(way='error', before='iteration', number=2, rank=1), MESSAGE),
    'worker': ('pre-training', dict(way='kill', before=FETCHING, rank=1), 'worker'),
    'clustering': ('USL', dict(way='kill', before='sklearn.cluster.DBSCAN.fit'), 'SIGKILL'),
    'test': ('test', dict(way='exit', before=f'{METRIC}.process', rank=1), 'exitcode'),
    'ranking': ('test', dict(way='error', before=f'{METRIC}.compute_metrics'), MESSAGE),
}


def assert_ended(ended, cause):
    assert ended.status == 1
    # The other one may notice the loss and end first; torchrun reports what ended first.
    said = ended.report + ended.output
    assert any(words in said for words in (cause, *LOST)), said
    assert ended.seconds < 60


@pytest.mark.parametrize('case', CASES)
def test_job_ends_with_the_lost_process(tiny_run, case):
    task, interruption, cause = CASES[case]
    if task == 'test':
        run = tiny_run('fine-tuning')
        ended = run_tool('test', run.folder, run.write(interruption), 'none', number=2)
    else:
        run = tiny_run(task, train_dataloader__num_workers=int(case == 'worker'))
        ended = run.go(interruption, number=2)
    assert_ended(ended, cause)


def test_resumed_within_an_epoch(saving_run, whole_run):
    run = saving_run('pre-training', 2)
    killed = dict(way='kill', before='iteration', number=7, rank=1)
    assert_ended(run.go(killed, number=2), 'SIGKILL')
    assert run.last()['meta']['iter'] == 6
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole_run('pre-training', 2))
