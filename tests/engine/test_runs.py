"""Whole runs of each task: interrupted, in variants and from what another run has learned."""

from math import isfinite
from pathlib import Path

import pytest
import torch
from processes import assert_equal
from tiny_runs import (
    Kill,
    KilledError,
    SeenClusters,
    SeenImages,
    cluster_config,
    masked_config,
    pass_config,
    refined_config,
    reid_config,
    train,
    write_crops,
    write_people,
)

from passreid.apis import get_model
from passreid.models.converters import fill_model

ROOT = Path(__file__).parents[2]
CONFIGS = {
    'pre-training': pass_config,
    'masked pre-training': masked_config,
    'fine-tuning': reid_config,
    'USL': cluster_config,
    'refined USL': refined_config,
}
NO_VALIDATION = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """Make the config of a run of a task; see ``tiny_runs``."""
    root = tmp_path_factory.mktemp('data')
    pictures = dict.fromkeys(CONFIGS, write_people(root / 'people'))
    crops = write_crops(root / 'crops')
    pictures |= {'pre-training': crops, 'masked pre-training': crops}

    def make(task, folder, **changes):
        return CONFIGS[task](ROOT, pictures[task], folder, **changes)

    return make


class Watched:
    """What a run did, and where it ended."""

    def __init__(self, cfg):
        self.images, self.clusters = SeenImages(), SeenClusters()
        seen = [self.images] + [self.clusters] * (cfg.model.type == 'ClusterContrast')
        self.runner = train(cfg, *seen)
        scalars = self.runner.message_hub.log_scalars
        self.figures = {name: history.data[0].tolist() for name, history in scalars.items()}


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    """Make an uninterrupted run of a task, once."""
    runs = {}

    def make(task):
        if task not in runs:
            runs[task] = Watched(config(task, tmp_path_factory.mktemp('whole')))
        return runs[task]

    return make


@pytest.mark.parametrize(
    ('task', 'by_epoch', 'iteration', 'start'),
    [
        ('pre-training', False, 6, 6),
        ('masked pre-training', False, 6, 6),
        ('fine-tuning', True, 5, 4),
        ('fine-tuning', False, 6, 6),
        ('USL', True, 4, 3),
        ('USL', False, 5, 5),
        ('refined USL', False, 5, 5),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    config, whole, tmp_path, task, by_epoch, iteration, start
):
    """After an epoch and, with workers, in the middle of one: images, clusters and weights."""
    expected = whole(task)
    cfg = config(
        task,
        tmp_path,
        resume='auto',
        default_hooks__checkpoint__by_epoch=by_epoch,
        train_dataloader__num_workers=int(not by_epoch),
        train_dataloader__persistent_workers=not by_epoch,
    )
    killed = SeenImages()
    with pytest.raises(KilledError):
        train(cfg, killed, Kill(iteration))
    resumed = Watched(cfg)
    assert resumed.runner.iter == expected.runner.iter
    assert killed.batches == expected.images.batches[:iteration]
    assert resumed.images.batches == expected.images.batches[start:]
    own, other = resumed.runner, expected.runner
    assert_equal(own.model.state_dict(), other.model.state_dict())
    assert_equal(*(run.optim_wrapper.optimizer.state_dict()['state'] for run in (own, other)))
    for name in expected.figures:
        if name.startswith('val/reid/'):
            assert resumed.figures[name] == expected.figures[name]
    if task.endswith('USL'):
        # An epoch that is resumed begins with its labels, and with the memory as it was.
        starts, all_starts = resumed.clusters.starts, expected.clusters.starts[start // 3 :]
        assert torch.equal(starts[0]['labels'], all_starts[0]['labels'])
        assert torch.equal(starts[0]['centers'], all_starts[0]['centers']) == by_epoch
        assert_equal(starts[1:], all_starts[1:])
        assert_equal(resumed.clusters.ends, expected.clusters.ends[start // 3 :])


def test_masked_pre_training_begins_from_pass_and_ends_in_a_plain_backbone(config, whole, tmp_path):
    run = whole('masked pre-training')
    assert all(isfinite(loss) for loss in run.figures['train/loss_patch'])
    model, folder = run.runner.model, Path(run.runner.work_dir)
    assert model.backbone.mask_token.any() and model.patch_head.centers.any()
    (group,) = (
        group
        for group in run.runner.optim_wrapper.optimizer.param_groups
        if any(value is model.backbone.mask_token for value in group['params'])
    )
    assert group['weight_decay'] == 0
    backbone = get_model(config('fine-tuning', tmp_path)).backbone
    report = fill_model(backbone, torch.load(folder / 'teacher_backbone.pth', weights_only=True))
    assert report.clean and report.share == 1
    before = str(Path(whole('pre-training').runner.work_dir) / 'epoch_2.pth')
    changes = dict(load_from=before, train_cfg__max_epochs=1, optim_wrapper__optimizer__lr=0.0)
    started = train(config('masked pre-training', tmp_path, **changes)).model
    expected = torch.load(before, weights_only=True)['state_dict']
    names = [name for name in expected if name.startswith('backbone.')]
    assert_equal({n: started.state_dict()[n] for n in names}, {n: expected[n] for n in names})


VARIANTS = {
    'stem': ('pre-training', dict(model__backbone__stem='ics')),
    'no parts': (
        'pre-training',
        dict(
            model__backbone__num_parts=0,
            train_dataloader__dataset__pipeline__1__num_parts=0,
            train_dataloader__dataset__pipeline__1__num_local_whole=4,
        ),
    ),
    'no parts, masked': (
        'masked pre-training',
        dict(
            model__backbone__num_parts=0,
            train_dataloader__dataset__pipeline__1__num_parts=0,
            train_dataloader__dataset__pipeline__1__num_local_whole=4,
        ),
    ),
    'no parts or metric loss': (
        'fine-tuning',
        dict(model__backbone__num_parts=0, model__head__num_parts=0, model__head__metric_loss=None),
    ),
    'mean': ('USL', dict(model__memory__use_hard=False, model__neck__fusion='mean')),
}


@pytest.mark.parametrize('name', VARIANTS)
def test_variants(config, tmp_path, name):
    task, changes = VARIANTS[name]
    changes = changes | dict(train_cfg__max_epochs=1)
    run = Watched(config(task, tmp_path, **changes, **(NO_VALIDATION if task != 'USL' else {})))
    assert all(isfinite(loss) for loss in run.figures['train/loss'])
    assert ('train/loss_part' in run.figures) == (name == 'stem')
    assert 'train/loss_triplet' not in run.figures
    model = run.runner.model
    if name == 'stem':
        # The teacher's statistics are its own: it saw the global views, once a step.
        student, teacher = (
            network.patch_embed.stem[1].batch_norm
            for network in (model.backbone, model.teacher['backbone'])
        )
        assert student.num_batches_tracked == 2 * teacher.num_batches_tracked > 0
        assert not torch.equal(student.running_mean, teacher.running_mean)
    elif task == 'USL':
        (end,) = run.clusters.ends
        assert end['centers'].shape == (end['labels'].max() + 1, 16)
        torch.testing.assert_close(end['centers'].norm(dim=1), torch.ones(len(end['centers'])))


def test_resumed_run_does_not_need_the_weights_it_began_with(config, whole, tmp_path):
    own = tmp_path / 'weights.pth'
    own.write_bytes((Path(whole('fine-tuning').runner.work_dir) / 'epoch_2.pth').read_bytes())
    changes = dict(resume='auto', model__neck__multi_neck=True, train_cfg__max_epochs=2)
    cfg = config('USL', tmp_path / 'run', **changes)
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(own), prefix='backbone.')
    with pytest.raises(KilledError):
        train(cfg, Kill(4))
    own.unlink()
    assert train(cfg).iter == 6


def test_fresh_run_needs_the_pre_trained_file(config, tmp_path):
    cfg = config('fine-tuning', tmp_path, resume='auto', pretrained=tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        train(cfg)


@pytest.mark.parametrize('wanted', [True, False])
def test_pixels_are_those_of_the_weights(config, whole, tmp_path, wanted):
    first = whole('pre-training').runner
    changes = dict(train_cfg__max_epochs=1, **NO_VALIDATION)
    cfg = config('USL', tmp_path, model__data_preprocessor__pixels_of_weights=wanted, **changes)
    file = str(Path(first.work_dir) / 'teacher_backbone.pth')
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=file)
    trained = train(cfg).model
    loaded = get_model(cfg, tmp_path / 'epoch_1.pth')
    for name in ('mean', 'std'):
        own = torch.tensor(cfg.model.data_preprocessor[name]).view(3, 1, 1)
        expected = getattr(first.model.data_preprocessor, name) if wanted else own
        assert not torch.equal(own, getattr(first.model.data_preprocessor, name))
        for model in (trained, loaded):
            assert torch.equal(getattr(model.data_preprocessor, name), expected)
