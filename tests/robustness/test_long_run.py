"""Memory, files and threads over a long run, and workers that die in one."""

import gc
import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from fated_workers import Fate, killed
from mmengine.hooks import Hook
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

from passreid.apis import build_runner
from passreid.datasets.lost_workers import LostWorkerError

ROOT = Path(__file__).parents[2]
AREA = 'long runs'
WORKERS = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
        yield importlib.import_module('benchmark_long_run')


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('data') / 'crops', count=100)


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


def quiet(cfg):
    cfg.default_hooks.logger.interval = 50
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    return cfg


@pytest.mark.parametrize('task', ['pre-training', 'fine-tuning', 'USL'])
def test_nothing_grows(tool, task, crops, people, tmp_path, tried, full):
    times = 10 if full else 1
    # 25, 4 and 3 iterations an epoch: the ends of epochs are what leaks most.
    if task == 'pre-training':
        cfg = pass_config(ROOT, crops, tmp_path, train_cfg__max_epochs=8 * times, **WORKERS)
    elif task == 'fine-tuning':
        epochs = 20 * times
        options = dict(train_cfg__max_epochs=epochs, train_cfg__val_interval=5)
        cfg = reid_config(ROOT, people, tmp_path, **options, **WORKERS)
    else:
        epochs = 20 * times
        options = dict(train_cfg__max_epochs=epochs, train_cfg__val_interval=epochs)
        cfg = cluster_config(ROOT, people, tmp_path, **options, **WORKERS)
    cfg.param_scheduler = []
    cfg.optim_wrapper.optimizer.lr = 1e-4
    table = tool.run(quiet(cfg), interval=5)
    # Over few iterations the line follows the caches that are being filled.
    rows, wrong = tool.judge(table, most_growth=8 if full else 200, slower=1)
    assert not wrong, '\n'.join([*rows, *wrong])
    tried(AREA, f'{task}: {int(table[-1, 0])} iterations', 'nothing grows')


def test_judge_notices_growth(tool):
    steady = np.column_stack([np.arange(100) * 20.0, *np.full((6, 100), 50.0)])
    assert tool.judge(steady, 8, 0.1)[1] == []
    for column, slope, expected in (
        (1, 1, 'main process'),
        (3, 0.3, 'open files'),
        (6, -0.3, 'images'),
    ):
        table = steady.copy()
        table[:, column] += slope * np.arange(100)
        (wrong,) = tool.judge(table, 8, 0.1)[1]
        assert expected in wrong


@pytest.mark.parametrize('where', ['training', 'validation', 'clustering'])
def test_worker_that_dies_is_reported_with_its_sample(where, crops, people, tmp_path, tried):
    if where == 'training':
        cfg = pass_config(ROOT, crops, tmp_path, **WORKERS)
        name, loader = '0042.jpg', 'train_dataloader'
    elif where == 'validation':
        cfg = reid_config(
            ROOT, people, tmp_path, train_cfg__max_epochs=1, train_cfg__val_interval=1
        )
        cfg.val_dataloader.update(num_workers=2)
        name, loader = '0103_c2s1_000002_00.jpg', 'val_dataloader'
    else:
        cfg = cluster_config(ROOT, people, tmp_path, **WORKERS)
        name, loader = '0003_c2s1_000002_00.jpg', None
    runner = build_runner(cfg)

    class Sabotage(Hook):
        priority = 'LOWEST'

        def before_train(self, runner):
            if loader is None:
                hook = next(h for h in runner.hooks if type(h).__name__ == 'PseudoLabelHook')
                dataset = hook._loader.dataset
            elif loader == 'train_dataloader':
                dataset = runner.train_dataloader.dataset
            else:
                dataset = runner.val_loop.dataloader.dataset
            dataset.pipeline.transforms.insert(1, Fate(name, killed, ends=False))

    runner.register_hook(Sabotage())
    with pytest.raises(LostWorkerError, match=rf'signal \(Killed\).*{name}.*emory'):
        runner.train()
    tried(AREA, f'worker killed in {where}', 'reported with its sample')


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_health_of_this_process(tool):
    # What others left to be collected would close its files meanwhile.
    gc.collect()
    health = sys.modules['health_hook'].read_health()
    block = np.ones(30 * 2**20, np.uint8)
    with open(os.devnull), open(os.devnull):
        later = sys.modules['health_hook'].read_health()
    assert 29 < (later.own - health.own) / 2**20 < 40
    assert later.own <= later.shared_out <= later.resident
    assert len(block) and later.files == health.files + 2 and later.threads >= 1
