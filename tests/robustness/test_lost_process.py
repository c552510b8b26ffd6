"""A process that dies ends the job at once, and the job can be resumed."""

import pytest
from processes import MESSAGE, run_tool

ITERATION = dict(before='iteration', number=2, rank=1)
# What gloo says when another process is gone.
LOST = ('by peer', 'Broken pipe', 'recvValue failed', 'remote process exited')
FETCHING = 'torch.utils.data._utils.fetch._MapDatasetFetcher.fetch'
# The task, what happens, and what the job says of it.
CASES = {
    'killed': ('fine-tuning', ITERATION | dict(way='kill'), 'Signal 9 (SIGKILL)'),
    'error': ('pre-training', ITERATION | dict(way='error'), MESSAGE),
    'full disk': (
        'pre-training',
        dict(way='full disk', before='torch.save'),
        'No space left on device',
    ),
    'worker': ('pre-training', dict(way='kill', before=FETCHING, rank=1), 'worker'),
    'extraction': ('USL', dict(way='error', before=FETCHING, rank=1), MESSAGE),
    'clustering': (
        'USL',
        dict(way='kill', before='sklearn.cluster.DBSCAN.fit', number=2),
        'Signal 9 (SIGKILL)',
    ),
    'test': (
        'test',
        dict(way='exit', before='passreid.evaluation.ReIDMetric.process', rank=1),
        'exitcode',
    ),
    'ranking': (
        'test',
        dict(way='error', before='passreid.evaluation.ReIDMetric.compute_metrics'),
        MESSAGE,
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_job_ends_with_the_lost_process(tiny_run, case):
    task, interruption, cause = CASES[case]
    if task == 'test':
        run = tiny_run('fine-tuning')
        ended = run_tool('test', run.folder, run.write(interruption), 'none', number=2)
    else:
        run = tiny_run(task, train_dataloader__num_workers=int(case == 'worker'))
        ended = run.go(interruption, number=2)
    assert ended.status == 1
    # The other one may notice the loss and end first; torchrun reports what ended first.
    said = ended.report + ended.output
    assert any(words in said for words in (cause, *LOST)), said
    assert ended.seconds < 60


def test_resumed_within_an_epoch(tiny_run):
    changes = dict(
        train_dataloader__batch_size=2,
        default_hooks__checkpoint__by_epoch=False,
        default_hooks__checkpoint__interval=3,
    )
    whole, run = (tiny_run('pre-training', **changes) for _ in range(2))
    assert whole.go(number=2).status == 0
    assert run.go(ITERATION | dict(way='kill', number=8), number=2).status == 1
    assert run.last()['meta']['iter'] == 6
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole)
