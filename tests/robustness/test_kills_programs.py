"""Signals to ``tools/train.py`` with its loader workers, and to torchrun."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from elastic_jobs import run_job
from killed_programs import Program, alive, children
from killed_runs import Run, assert_equal
from process_runs import read_outcome, run_all
from tiny_runs import pass_config, write_crops

from passreid.utils.last_checkpoint import examine, read_last_checkpoint

ROOT = Path(__file__).parents[2]
STATUS = 128 + signal.SIGTERM
TIMES = dict(train_cfg__max_epochs=3)
WORKERS = dict(
    train_dataloader__num_workers=2,
    train_dataloader__persistent_workers=True,
    default_hooks__checkpoint__by_epoch=False,
    default_hooks__checkpoint__interval=3,
)


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('programs') / 'crops')


def write_config(crops, folder, name, pause=0.2, **changes):
    """A config whose iterations take long enough to be hit."""
    cfg = pass_config(ROOT, crops, folder / name, **TIMES, **changes)
    cfg.custom_imports.imports.append('killed_runs')
    cfg.custom_hooks.append(dict(type='SeenBatches', pause=pause))
    path = folder / f'{name}.py'
    cfg.dump(path)
    return path


@pytest.fixture(scope='module')
def whole(crops, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    run = Run(write_config(crops, folder, 'run', 0.0), folder / 'run')
    assert run.go() == 0
    return run


def check_against(whole, run):
    assert run.go() == 0
    assert run.seen() == whole.seen()
    assert_equal(run.outcome()['state_dict'], whole.outcome()['state_dict'])
    assert_equal(run.outcome()['optimizer'], whole.outcome()['optimizer'])


def test_signal_to_the_whole_group(crops, whole, tmp_path, tried):
    """As a shell or a scheduler sends it: to loader workers too."""
    config = write_config(crops, tmp_path, 'told', **WORKERS)
    program = Program(config, tmp_path / 'told')
    program.wait_for(2)
    workers = program.descendants()
    assert len(workers) >= 2
    os.killpg(program.process.pid, signal.SIGTERM)
    status, output = program.end()
    assert status == STATUS, output
    assert 'Traceback' not in output
    assert 'Saved' in output
    assert not alive(workers)
    check_against(whole, Run(config, tmp_path / 'told'))
    tried('kills', 'pre-training: SIGTERM to loader workers too', 'saved, resumed, weights equal')


def test_workers_of_a_killed_process_end(crops, whole, tmp_path, full, tried):
    config = write_config(crops, tmp_path, 'killed', 0.1, **WORKERS)
    seconds = []
    for iteration in (2, 6, 9) if full else (4,):
        program = Program(config, tmp_path / 'killed')
        program.wait_for(iteration)
        workers = program.descendants()
        assert len(workers) >= 2
        program.process.kill()
        start = time.monotonic()
        while alive(workers) and time.monotonic() - start < 30:
            time.sleep(0.02)
        seconds.append(time.monotonic() - start)
        program.end()
        tried('kills', 'pre-training: tools/train.py with workers', 'workers gone, weights equal')
    assert max(seconds) < 3
    check_against(whole, Run(config, tmp_path / 'killed'))


@pytest.mark.parametrize('to', ['torchrun', 'one process', 'all'])
def test_two_processes(crops, tmp_path, full, tried, to):
    if to == 'all' and not full:
        pytest.skip('torchrun sends the signal to all, which --full tries twice')
    changes = dict(train_dataloader__batch_size=2)
    config = write_config(crops, tmp_path, 'told', 0.3, **changes)
    program = Program(config, tmp_path / 'told', in_two=True)
    program.wait_for(3)
    trainers = children(program.process.pid)
    assert len(trainers) == 2
    if to == 'torchrun':
        program.process.terminate()
    elif to == 'one process':
        os.kill(trainers[1], signal.SIGTERM)
    else:
        for pid in (program.process.pid, *program.descendants()):
            os.kill(pid, signal.SIGTERM)
    status, output = program.end()
    assert status != 0
    assert output.count('Told to end (SIGTERM) after iteration') == 1, output
    assert 'ProcessGroup' not in output and 'connection' not in output.lower(), output
    if to == 'one process':
        assert f'exitcode  : {STATUS}' in output, output
    last = Path(read_last_checkpoint(tmp_path / 'told'))
    progress = examine(last).progress
    assert 2 <= progress.iteration <= 5

    whole = write_config(crops, tmp_path, 'whole', 0.0, **changes)
    for name in ('whole', 'told'):
        text = Path(tmp_path / f'{name}.py').read_text()
        (tmp_path / f'{name}.py').write_text(text + "\nresume = 'auto'\n")
    job = run_job(run_all, tmp_path, [whole.stem, 'told'])
    assert not job.report, job.report + job.output
    for own, expected in zip(
        read_outcome(tmp_path, 'told', 2), read_outcome(tmp_path, 'whole', 2), strict=True
    ):
        for name, value in expected['weights'].items():
            assert torch.equal(own['weights'][name], value), name
    tried('kills', f'pre-training in 2 processes: SIGTERM to {to}', 'saved, weights equal')
