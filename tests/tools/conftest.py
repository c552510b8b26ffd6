"""Programs of tools/ called in this process, and a small model for them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_models import save_weights
from tiny_runs import quick_start, reid_config, write_people

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def load_tool():
    """Import a program once, by its path below tools/ without suffix."""
    loaded = {}

    def load(name):
        if name not in loaded:
            path = ROOT / 'tools' / f'{name}.py'
            sys.path.insert(0, str(path.parent))
            # Another name than its own: 'test' is a package of Python.
            spec = importlib.util.spec_from_file_location(f'tools_{path.stem}', path)
            loaded[name] = importlib.util.module_from_spec(spec)
            # Dataclasses look their module up.
            sys.modules[spec.name] = loaded[name]
            spec.loader.exec_module(loaded[name])
        return loaded[name]

    before = list(sys.path)
    yield load
    sys.path[:] = before


@pytest.fixture
def run(load_tool, monkeypatch, tmp_path, capsys):
    """Call a program in an empty folder; give what it printed."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()

    def call(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
        program = load_tool(name)
        capsys.readouterr()
        with quick_start():
            program.main()
        return capsys.readouterr().out

    yield call
    torch.set_num_threads(threads)


@pytest.fixture(scope='session')
def small(tmp_path_factory):
    """A data set of 25 test images, a config and two files of weights for it."""
    folder = tmp_path_factory.mktemp('small')
    people = write_people(folder / 'people')
    cfg = reid_config(ROOT, people, folder / 'run')
    # What programs are given does not name a number of classes.
    cfg.dump(folder / 'reid.py')
    cfg.model.head.num_classes = 8
    for seed in (3, 4):
        save_weights(cfg, folder / f'reid-{seed}.pth', seed)
    return SimpleNamespace(
        folder=folder,
        people=people,
        config=folder / 'reid.py',
        weights=folder / 'reid-3.pth',
        others=folder / 'reid-4.pth',
    )


@pytest.fixture
def start():
    """Start a program in a process of its own."""

    def call(*command):
        changes = {
            'CUDA_VISIBLE_DEVICES': '',
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': f'{ROOT}:{ROOT / "tests"}',
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        }
        return subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            env=os.environ | changes,
            timeout=300,
        )

    return call
