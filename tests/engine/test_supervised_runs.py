"""Whole supervised runs: the same again, interrupted, in variants and with other data."""

from math import isfinite
from pathlib import Path

import pytest
import torch
from tiny_runs import (
    NUM_TRAIN_IDS,
    Kill,
    KilledError,
    SeenImages,
    quick_start,
    reid_config,
    train,
    write_people,
)

from passreid.apis import build_runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


@pytest.fixture(scope='module')
def backbone(people, tmp_path_factory):
    """Weights of a backbone in a file, as pre-training writes it."""
    folder = tmp_path_factory.mktemp('backbone')
    model = build_runner(reid_config(ROOT, people, folder, model__head__num_classes=2)).model
    torch.manual_seed(7)
    model.init_weights()
    torch.save({'state_dict': model.backbone.state_dict()}, folder / 'teacher_backbone.pth')
    return folder / 'teacher_backbone.pth'


def figures_of(runner):
    return {name: history.current() for name, history in runner.message_hub.log_scalars.items()}


@pytest.fixture(scope='module')
def whole(people, backbone, tmp_path_factory):
    """An uninterrupted run of 2 epochs of 4 iterations, from pre-trained weights."""
    seen = SeenImages()
    folder = tmp_path_factory.mktemp('whole')
    runner = train(reid_config(ROOT, people, folder, pretrained=backbone), seen)
    return runner, seen.batches


def assert_equal_weights(runner, other):
    found = runner.model.state_dict()
    for name, value in other.model.state_dict().items():
        assert torch.equal(found[name], value), name


def test_the_same_seed_gives_the_same_run(people, backbone, whole, tmp_path):
    runner, batches = whole
    seen = SeenImages()
    again = train(reid_config(ROOT, people, tmp_path, pretrained=backbone), seen)
    assert seen.batches == batches
    assert_equal_weights(again, runner)
    assert figures_of(again)['val/reid/mAP'] == figures_of(runner)['val/reid/mAP']


def test_another_seed_gives_another_run(people, backbone, whole, tmp_path):
    seen = SeenImages()
    train(reid_config(ROOT, people, tmp_path, randomness__seed=1, pretrained=backbone), seen)
    assert seen.batches != whole[1]


@pytest.mark.parametrize(
    ('by_epoch', 'iteration', 'start', 'workers'),
    [(True, 5, 4, 0), (False, 6, 6, 1)]
    + [pytest.param(False, start, start, 1, marks=pytest.mark.slow) for start in (1, 4)],
)
def test_killed_and_resumed_equals_uninterrupted(
    people, backbone, whole, tmp_path, by_epoch, iteration, start, workers
):
    """After an epoch and in the middle of one; the second start misses the pre-trained file."""
    runner, batches = whole
    own = tmp_path / 'weights.pth'
    own.write_bytes(backbone.read_bytes())
    options = dict(
        pretrained=own,
        resume='auto',
        default_hooks__checkpoint__by_epoch=by_epoch,
        train_dataloader__num_workers=workers,
    )
    killed, seen = SeenImages(), SeenImages()
    with pytest.raises(KilledError):
        train(reid_config(ROOT, people, tmp_path / 'run', **options), killed, Kill(iteration))
    own.unlink()
    resumed = train(reid_config(ROOT, people, tmp_path / 'run', **options), seen)
    assert resumed.iter == 8
    assert killed.batches == batches[:iteration]
    assert seen.batches == batches[start:]
    assert_equal_weights(resumed, runner)
    momenta, expected = (
        other.optim_wrapper.optimizer.state_dict()['state'] for other in (resumed, runner)
    )
    assert momenta.keys() == expected.keys()
    for key, state in expected.items():
        assert torch.equal(momenta[key]['momentum_buffer'], state['momentum_buffer'])


def test_another_number_of_classes_is_not_resumed(people, whole, tmp_path):
    path = str(Path(whole[0].work_dir) / 'epoch_1.pth')
    options = dict(resume=True, load_from=path, model__head__num_classes=9)
    with pytest.raises(ValueError, match=r'head\.classifier\.weight: \(8, 32\) .*, \(9, 32\)'):
        train(reid_config(ROOT, people, tmp_path, **options))


def test_fresh_run_needs_the_pre_trained_file(people, tmp_path):
    cfg = reid_config(ROOT, people, tmp_path, resume='auto', pretrained=tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.pth are not there'):
        train(cfg)


@pytest.fixture
def two_steps(people, tmp_path):
    """Train two steps in a variant; give the runner and its figures."""

    def run(**changes):
        # Without test data, and two accumulated batches a step.
        runner = train(
            reid_config(
                ROOT,
                people,
                tmp_path / 'run',
                train_cfg__max_epochs=1,
                train_dataloader__batch_size=16,
                default_hooks__checkpoint=None,
                val_dataloader=None,
                val_evaluator=None,
                val_cfg=None,
                **changes,
            )
        )
        assert runner.iter == 2
        return runner, figures_of(runner)

    return run


ID_LOSSES = ('CrossEntropyLoss', 'LabelSmoothLoss', 'ArcFaceLoss', 'CosFaceLoss', 'CircleLoss')


@pytest.mark.parametrize('amp', [None, 'bfloat16'])
@pytest.mark.parametrize('name', ID_LOSSES)
def test_identity_losses(two_steps, name, amp):
    options = dict(label_smooth_val=0.1) if name == 'LabelSmoothLoss' else {}
    id_loss = dict(type=name, **options)
    _, figures = two_steps(model__head__id_loss=id_loss, optim_wrapper__amp=amp)
    assert isfinite(figures['train/loss_id']) and figures['train/loss_id'] > 0
    total = figures['train/loss_id'] + figures['train/loss_triplet']
    assert figures['train/loss'] == pytest.approx(total)


@pytest.mark.parametrize('multi_neck', [True, False])
@pytest.mark.parametrize('fusion', ['cat', 'mean'])
def test_fusions_and_necks(two_steps, fusion, multi_neck):
    options = dict(model__head__fusion=fusion, model__head__multi_neck=multi_neck)
    runner, figures = two_steps(**options)
    assert isfinite(figures['train/loss'])
    width = 32 if fusion == 'cat' else 16
    assert runner.model.head.classifier.weight.shape == (NUM_TRAIN_IDS, width)


def test_without_parts_and_metric_loss(two_steps):
    _, figures = two_steps(
        model__backbone__num_parts=0, model__head__num_parts=0, model__head__metric_loss=None
    )
    assert figures['train/loss'] == figures['train/loss_id']
    assert 'train/loss_triplet' not in figures


def test_bfloat16_is_close_to_float32(two_steps):
    # Older releases of torch draw other numbers in bfloat16: no path is dropped.
    options = dict(model__backbone__drop_path_rate=0)
    plain, mixed = (two_steps(optim_wrapper__amp=amp, **options)[1] for amp in (None, 'bfloat16'))
    assert mixed['train/loss'] != plain['train/loss']
    for name in ('loss_id', 'loss_triplet', 'hardest_positive', 'hardest_negative'):
        assert mixed[f'train/{name}'] == pytest.approx(plain[f'train/{name}'], rel=0.02), name


def test_joint_training(people, tmp_path):
    other = write_people(tmp_path / 'other', seed=1)
    cfg = reid_config(ROOT, people, tmp_path / 'run', train_cfg__max_epochs=1)
    first = cfg.train_dataloader.dataset
    second = dict(first, data_root=str(other))
    cfg.train_dataloader.dataset = dict(type='ReIDConcatDataset', datasets=[first, second])
    runner = train(cfg)
    assert len(runner.model.head.classifier.weight) == 2 * NUM_TRAIN_IDS
    assert runner.iter == 8
    assert isfinite(figures_of(runner)['train/loss'])


def test_rate_follows_the_accumulated_batch(people, tmp_path):
    scale = dict(enable=True, base_batch_size=64)
    options = dict(optim_wrapper__accumulative_counts=2, auto_scale_lr=scale)
    runner = build_runner(reid_config(ROOT, people, tmp_path, **options))
    runner.train()
    rates = {group['initial_lr'] for group in runner.optim_wrapper.optimizer.param_groups}
    # 8 images x 2 batches a step, where the recipe has 64; biases learn twice as fast.
    assert sorted(rates) == pytest.approx([0.02 / 4, 0.04 / 4])


def test_best_checkpoint(people, tmp_path):
    cfg = reid_config(
        ROOT,
        people,
        tmp_path,
        train_cfg__val_interval=1,
        default_hooks__checkpoint__save_best='reid/mAP',
    )
    runner = train(cfg)
    (best,) = tmp_path.glob('best_reid_mAP_epoch_*.pth')
    history, _ = runner.message_hub.log_scalars['val/reid/mAP'].data
    assert len(history) == 2
    epoch = 1 + history.argmax()
    assert best.stem.endswith(f'epoch_{epoch}')
    weights = torch.load(best, weights_only=True)['state_dict']
    expected = torch.load(tmp_path / f'epoch_{epoch}.pth', weights_only=True)['state_dict']
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
