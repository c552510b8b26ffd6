"""Whole runs in float16 and bfloat16, and on images of any size and content."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from elastic_jobs import run_job
from mmengine.hooks import Hook
from process_runs import run_all
from tiny_runs import (
    cluster_config,
    halve,
    pass_config,
    quick_start,
    reid_config,
    train,
    write_crops,
    write_people,
)

ROOT = Path(__file__).parents[2]
TASKS = ['pre-training', 'fine-tuning', 'USL']


class Overflow(Hook):
    """Scale the loss out of the range of float16 in one iteration, and look what comes of it.

    Attributes:
        moved (list[bool]): Whether the weights did, by iteration.
        scale (float): Of the loss after the overflow.
    """

    priority = 'LOWEST'

    def __init__(self, iteration, scale, overflowing):
        self.iteration, self.usual, self.overflowing = iteration, scale, overflowing
        self.moved = []

    def before_train_iter(self, runner, *args, **kwargs):
        now = runner.iter == self.iteration
        scaler = runner.optim_wrapper.loss_scaler
        # There is no scale to set before the first use.
        scaler.scale(torch.ones(()))
        scaler.update(self.overflowing if now else self.usual)
        self._before = _student(runner)

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            self.scale = runner.optim_wrapper.loss_scaler.get_scale()
        pairs = zip(self._before, _student(runner), strict=True)
        self.moved.append(any(not torch.equal(*pair) for pair in pairs))


def _student(runner):
    model = getattr(runner.model, 'module', runner.model)
    return [value.clone() for value in model.parameters() if value.requires_grad]


class SeenLosses(Hook):
    """Remember the loss of each iteration."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(float(outputs['loss']))


@pytest.fixture(autouse=True)
def quick():
    with quick_start():
        yield


def config(task, folder, work_dir=None, **changes):
    """A run of 24 steps."""
    work_dir = work_dir or folder / 'run'
    if task == 'pre-training':
        changes.setdefault('train_cfg__max_epochs', 6)
        return pass_config(ROOT, folder / 'crops', work_dir, **changes)
    changes.setdefault('val_cfg', None)
    changes |= dict.fromkeys(('val_cfg', 'val_dataloader', 'val_evaluator'), changes['val_cfg'])
    if task == 'fine-tuning':
        changes.setdefault('train_cfg__max_epochs', 6)
        return reid_config(ROOT, folder / 'people', work_dir, **changes)
    changes.setdefault('train_cfg__max_epochs', 8)
    return cluster_config(ROOT, folder / 'people', work_dir, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('numerics')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


def assert_sound(model):
    """All that a run keeps is finite and float32."""
    state = [*model.named_parameters(), *model.named_buffers()]
    for name, value in state:
        assert value.dtype in (torch.float32, torch.int64), name
        assert value.isfinite().all(), name
    names = ' '.join(name for name, _ in state)
    assert 'centres' in names or 'classifier' in names


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
@pytest.mark.parametrize('task', TASKS)
def test_runs_in_16_bits(folder, tmp_path, tried, task, dtype):
    """24 steps that begin as in float32 and keep all states finite."""
    losses = {}
    for name in ('float32', dtype):
        cfg = config(task, folder, tmp_path / name)
        hook = SeenLosses()
        runner = train(cfg if name == 'float32' else halve(cfg, dtype), hook)
        assert_sound(runner.model)
        losses[name] = hook.losses
    assert len(losses[dtype]) == 24
    assert np.isfinite(losses[dtype]).all()
    # Two layers, see tools/benchmarks/check_precision.py, and scores by a temperature of 0.04.
    rounding = torch.finfo(getattr(torch, dtype)).eps / 2
    assert losses[dtype][0] == pytest.approx(losses['float32'][0], rel=rounding * 32**0.5)
    tried('numerics', f'{task}: 24 steps in {dtype}', 'finite, first loss that of float32')


@pytest.mark.parametrize('task', TASKS)
def test_an_overflow_costs_a_step(folder, tmp_path, tried, task):
    # Of so narrow a network even a small scale would overflow at first.
    overflow = Overflow(4, scale=1.0, overflowing=2.0**40)
    cfg = halve(config(task, folder, tmp_path), 'float16')
    # Published rates begin at 0, with which no weight moves.
    cfg.param_scheduler = []
    runner = train(cfg, overflow)
    assert overflow.moved == [number != 4 for number in range(24)]
    assert overflow.scale == 2.0**39
    assert_sound(runner.model)
    tried(
        'numerics', f'{task}: gradients leave float16', 'step skipped, run goes on, states finite'
    )


@pytest.mark.parametrize('size', [(1, 1), (1, 500), (500, 1), (3, 2)])
@pytest.mark.parametrize('task', TASKS)
def test_pictures_smaller_than_a_patch(tmp_path, tried, task, size):
    write_crops(tmp_path / 'crops', count=8)
    write_people(tmp_path / 'people')
    for path in tmp_path.rglob('*.jpg'):
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), size))
    hook = SeenLosses()
    runner = train(config(task, tmp_path, train_cfg__max_epochs=1), hook)
    assert np.isfinite(hook.losses).all()
    assert_sound(runner.model)
    tried('numerics', f'{task}: pictures of {size[0]}x{size[1]} pixels', 'trained, loss finite')


@pytest.mark.parametrize('value', [0, 255, 100])
@pytest.mark.parametrize('task', ['pre-training', 'fine-tuning'])
@pytest.mark.parametrize('dtype', [None, 'float16', 'bfloat16'])
def test_pictures_of_one_colour(tmp_path, tried, task, value, dtype):
    write_crops(tmp_path / 'crops', count=8)
    write_people(tmp_path / 'people')
    for path in tmp_path.rglob('*.jpg'):
        cv2.imwrite(str(path), np.full((64, 32, 3), value, np.uint8))
    cfg = config(task, tmp_path, train_cfg__max_epochs=2)
    hook = SeenLosses()
    runner = train(halve(cfg, dtype) if dtype else cfg, hook)
    assert np.isfinite(hook.losses).all()
    assert_sound(runner.model)
    colour = {0: 'black', 255: 'white'}.get(value, 'grey')
    tried('numerics', f'{task} on {colour} pictures, {dtype or "float32"}', 'trained, loss finite')


def test_pictures_that_all_look_alike_have_no_clusters(tmp_path, tried):
    """No two of them can be told apart: that is said, and nothing trained."""
    write_people(tmp_path / 'people')
    for path in tmp_path.rglob('*.jpg'):
        cv2.imwrite(str(path), np.zeros((64, 32, 3), np.uint8))
    with pytest.raises(ValueError, match='All images with a cluster are in one|No image has'):
        train(config('USL', tmp_path))
    tried('numerics', 'USL on black pictures', 'refused: one cluster')


SMALL = {
    'pre-training': [(2, {}), (1, {})],
    'fine-tuning': [
        (2, dict(train_dataloader__sampler__images_per_id=2)),
        (2, dict(train_dataloader__sampler__images_per_id=1)),
    ],
    'USL': [(2, dict(train_dataloader__sampler__images_per_id=2))],
}


@pytest.mark.parametrize('task', TASKS)
def test_batches_of_one_and_two(folder, tmp_path, tried, task):
    for batch_size, changes in SMALL[task]:
        options = dict(train_dataloader__batch_size=batch_size, train_cfg__max_epochs=1)
        hook = SeenLosses()
        runner = train(config(task, folder, tmp_path / str(batch_size), **options, **changes), hook)
        assert np.isfinite(hook.losses).all()
        assert_sound(runner.model)
        tried('numerics', f'{task}: batch of {batch_size}', 'trained, loss finite')


@pytest.mark.parametrize('task', ['fine-tuning', 'USL'])
def test_a_batch_of_one_is_explained_where_images_are_normalised_together(folder, tried, task):
    options = dict(train_dataloader__batch_size=1, train_dataloader__sampler__images_per_id=1)
    config(task, folder, folder / 'one', **options).dump(folder / f'{task}-one.py')
    job = run_job(run_all, folder, [f'{task}-one'])
    assert 'cannot train on one: set train_dataloader.batch_size' in job.root_cause
    tried('numerics', f'{task}: batch of 1 in each of 2 processes', 'refused: says what to set')
