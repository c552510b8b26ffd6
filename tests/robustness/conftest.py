"""Small runs that are interrupted, and pickles that are programs."""

import os
import pickle
from functools import cache
from pathlib import Path

import pytest
from processes import TrainingRun
from tiny_runs import (
    cluster_config,
    pass_config,
    refined_config,
    reid_config,
    write_crops,
    write_people,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_collection_modifyitems(items):
    """Everything here runs after the quick tests."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """A folder with pictures: crops without labels, and people."""
    root = tmp_path_factory.mktemp('runs')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


@pytest.fixture(scope='session')
def tiny_run(folder):
    """Make a new run of a task: ``tiny_run('USL', train_cfg__max_epochs=2)``."""
    made = []

    def make(task, **changes):
        made.append(f'{task}_{len(made)}')
        if task == 'pre-training':
            cfg = pass_config(ROOT, folder / 'crops', folder, **changes)
        elif task == 'fine-tuning':
            cfg = reid_config(ROOT, folder / 'people', folder, **changes)
        elif task == 'USL':
            cfg = cluster_config(ROOT, folder / 'people', folder, **changes)
        elif task == 'refined USL':
            cfg = refined_config(ROOT, folder / 'people', folder, **changes)
        return TrainingRun(cfg, folder, made[-1])

    return make


@pytest.fixture(scope='session')
def saving_run(tiny_run):
    """Make a new run of two epochs that saves every second iteration and keeps two checkpoints.

    Those with labels or clusters are validated after each epoch, and the best is kept, too.
    """

    def make(task, number=1, **changes):
        saving = dict(by_epoch=False, interval=2, max_keep_ckpts=2)
        if task != 'pre-training':
            changes['train_cfg__val_interval'] = 1
            saving['save_best'] = 'reid/mAP'
        if number > 1:
            changes['train_dataloader__batch_size'] = 4 // number
            # Eight iterations are too few for processes to ask each other every ten.
            changes['default_hooks__preemption__interval'] = 1
        for name, value in saving.items():
            changes[f'default_hooks__checkpoint__{name}'] = value
        return tiny_run(task, train_cfg__max_epochs=2, **changes)

    return make


@pytest.fixture(scope='session')
def whole_run(saving_run):
    """Make such a run that nothing stops, once for each task and number of processes."""

    @cache
    def make(task, number=1):
        run = saving_run(task, number)
        ended = run.go(number=number)
        assert ended.status == 0, ended.output
        return run

    return make


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


# By name, what makes a pickle that would create a folder.
PROGRAMS = {
    'first protocol': lambda trap: pickle.dumps(Call(os.mkdir, trap), protocol=0),
    'last protocol': lambda trap: pickle.dumps([Call(os.mkdir, trap)], protocol=5),
    'shell': lambda trap: b"cos\nsystem\n(S'touch %b'\ntR." % trap.encode(),
    'method': lambda trap: pickle.dumps(Call(Path.touch, Path(trap))),
    'behind a list': lambda trap: (
        pickle.dumps(['a'])[:-1] + b"0cposix\nmkdir\n(S'%b'\ntR." % trap.encode()
    ),
}


@pytest.fixture(params=PROGRAMS)
def program(request, tmp_path):
    """A pickle that would do something; that it does not is looked at in the end."""
    trap = tmp_path / 'trap'
    pickle.loads(PROGRAMS[request.param](str(trap)))
    assert trap.exists()
    trap.rmdir() if trap.is_dir() else trap.unlink()
    yield PROGRAMS[request.param](str(trap))
    assert not trap.exists()
