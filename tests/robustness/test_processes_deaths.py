"""A process that dies ends the job, with its own error and at once."""

from pathlib import Path

import pytest
import torch
from dying_processes import MESSAGE, run_and_die
from elastic_jobs import run_job
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

from passreid.apis import build_runner, prepare_test

ROOT = Path(__file__).parents[2]
# A minute is what a job may take to notice; it takes the agent's look round, every 0.1 s.
PATIENCE = 20
# How the report of torchrun names the root cause; an exit without a word has but its status.
CAUSES = {
    'error': MESSAGE,
    'full disk': 'No space left on device',
    'kill': 'Signal 9 (SIGKILL)',
    'exit': 'exitcode  : 3',
}
WORKER_CAUSES = {
    'error': MESSAGE,
    'kill': 'exited unexpectedly',
    'exit': 'exited unexpectedly',
}
BOUNDED = [
    ('pre-training', 'hook', 'error', 1),
    ('pre-training', 'saving', 'full disk', 0),
    ('pre-training, workers', 'loader', 'kill', 1),
    ('fine-tuning', 'model', 'kill', 1),
    ('USL', 'clustering', 'kill', 0),
    ('USL', 'extraction', 'error', 1),
    ('test', 'ranking', 'error', 0),
    ('test', 'testing', 'exit', 1),
]
PLACES = {
    'pre-training': ['loader', 'model', 'hook', 'saving', 'picture'],
    'pre-training, workers': ['loader'],
    'fine-tuning': ['loader', 'model', 'hook', 'saving', 'testing', 'ranking'],
    'fine-tuning, workers': ['loader'],
    'USL': ['loader', 'model', 'hook', 'saving', 'extraction', 'clustering', 'testing', 'ranking'],
    'test': ['testing', 'ranking'],
}
ON_THE_FIRST = ('saving', 'ranking', 'clustering', 'picture')
FULL = [
    (task, place, way, rank)
    for task, places in PLACES.items()
    for place in places
    for way in ('error', 'exit', 'kill')
    for rank in ((0,) if place in ON_THE_FIRST else (0, 1))
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('deaths')
    crops, people = write_crops(root / 'crops'), write_people(root / 'people')
    worker = dict(train_dataloader__num_workers=1)

    def write(cfg, name):
        cfg.dump(root / f'{name}.py')

    for suffix, changes in (('', {}), (', workers', worker)):
        write(pass_config(ROOT, crops, root / 'pass', **changes), f'pre-training{suffix}')
        write(reid_config(ROOT, people, root / 'reid', **changes), f'fine-tuning{suffix}')
    write(cluster_config(ROOT, people, root / 'cluster'), 'USL')
    tested = reid_config(ROOT, people, root / 'test')
    torch.save({'state_dict': build_runner(tested).model.state_dict()}, root / 'weights.pth')
    prepare_test(tested, str(root / 'weights.pth'))
    write(tested, 'test')
    return root


def die(folder, task, place, way, rank):
    """Return the seconds from the death of a process to the end of the job."""
    (folder / 'moment_of_death').unlink(missing_ok=True)
    job = run_job(run_and_die, folder, f'{task}.py', place, way, rank)
    causes = WORKER_CAUSES if 'workers' in task else CAUSES
    _, _, root_cause = job.report.partition('Root Cause')
    # What fails in a clustering is told to all processes, so that any of them may be the first.
    if (place, way) != ('clustering', 'error'):
        assert f'(local_rank: {rank})' in root_cause, job.report
    assert causes[way] in root_cause, job.report
    # The others were ended before they could complain of the loss.
    assert 'by peer' not in job.output + job.report
    assert job.seconds_after_death < PATIENCE
    return job.seconds_after_death


def test_job_ends_with_the_error_of_the_process_that_died(folder, full, tried):
    for task, place, way, rank in FULL if full else BOUNDED:
        seconds = die(folder, task, place, way, rank)
        limit = next(limit for limit in (1, 5, PATIENCE) if seconds < limit)
        who = 'a loader worker' if 'workers' in task else f'process {rank} of 2'
        tried(
            'processes',
            f'{task.split(",")[0]}: death ({way}) of {who} in {place}',
            f'job over within {limit} s, root cause named',
        )
