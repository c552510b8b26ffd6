from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import Kill, KilledError, pass_config, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[3]


class SeenImages(Hook):
    def __init__(self):
        self.paths = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.paths += [Path(s.img_path).name for s in data_batch['data_samples']]


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('data') / 'crops')


def config(crops, folder, **changes):
    return pass_config(
        ROOT,
        crops,
        folder,
        default_hooks__checkpoint__by_epoch=False,
        default_hooks__checkpoint__interval=1,
        default_hooks__checkpoint__max_keep_ckpts=-1,
        train_dataloader__num_workers=1,
        **changes,
    )


@pytest.fixture(scope='module')
def whole(crops, tmp_path_factory):
    """An uninterrupted run of 2 epochs of 4 iterations."""
    runner = build_runner(config(crops, tmp_path_factory.mktemp('whole')))
    seen = SeenImages()
    runner.register_hook(seen)
    runner.train()
    return runner.model.state_dict(), seen.paths, Path(runner.work_dir)


@pytest.mark.parametrize(
    ('iteration', 'persistent'),
    [(4, False), (6, True)] + [pytest.param(1, p, marks=pytest.mark.slow) for p in (False, True)],
)
def test_killed_and_resumed_equals_uninterrupted(crops, whole, tmp_path, iteration, persistent):
    """After an epoch, and in the middle of the first and of the second."""
    weights, paths, _ = whole
    seen = SeenImages()
    options = dict(train_dataloader__persistent_workers=persistent)
    runner = build_runner(config(crops, tmp_path, **options))
    runner.register_hook(seen)
    runner.register_hook(Kill(iteration))
    with pytest.raises(KilledError):
        runner.train()
    resumed = build_runner(config(crops, tmp_path, resume=True, **options))
    resumed.register_hook(seen)
    resumed.train()
    assert resumed.iter == 8
    assert seen.paths == paths
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_each_epoch_sees_every_image_in_another_order(whole):
    _, paths, _ = whole
    first, second = paths[:16], paths[16:]
    assert sorted(first) == sorted(second) == [f'{index:04d}.jpg' for index in range(16)]
    assert first != second


def test_teacher_backbone_is_written(whole):
    weights, _, folder = whole
    exported = torch.load(folder / 'teacher_backbone.pth', weights_only=True)['state_dict']
    assert exported
    for name, value in exported.items():
        assert torch.equal(value, weights[f'teacher.backbone.{name}']), name


def test_sampler_that_cannot_start_inside_an_epoch(crops, tmp_path):
    options = dict(train_dataloader__sampler__type='DefaultSampler')
    runner = build_runner(config(crops, tmp_path, **options))
    runner.register_hook(Kill(2))
    with pytest.raises(KilledError):
        runner.train()
    resumed = build_runner(config(crops, tmp_path, resume=True, **options))
    with pytest.raises(TypeError, match='ResumableSampler'):
        resumed.train()


@pytest.mark.parametrize('iteration', [4, 6])
def test_epochs_of_another_length_are_refused(crops, whole, tmp_path, iteration):
    """After an epoch too: images would be left out, and schedules go by iterations."""
    checkpoint = str(whole[2] / f'iter_{iteration}.pth')
    options = dict(train_dataloader__batch_size=8, load_from=checkpoint, resume=True)
    runner = build_runner(config(crops, tmp_path, **options))
    with pytest.raises(ValueError, match=r'iterations an epoch.*batch_size.*: 4 .*, 2 '):
        runner.train()
    assert runner.iter == 0


def test_more_epochs_than_planned_are_none_of_another_length(crops, whole, tmp_path):
    checkpoint = str(whole[2] / 'iter_8.pth')
    options = dict(train_cfg__max_epochs=3, load_from=checkpoint, resume=True)
    runner = build_runner(config(crops, tmp_path, **options))
    runner.train()
    assert runner.iter == 12
