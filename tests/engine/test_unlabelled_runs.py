"""Whole runs without labels: the same again, interrupted, and from what was learned with labels."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import (
    Kill,
    KilledError,
    SeenClusters,
    SeenImages,
    cluster_config,
    quick_start,
    reid_config,
    train,
    write_people,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


class Watched:
    """What a run did, and where it ended."""

    def __init__(self, cfg, *hooks):
        self.images, self.clusters = SeenImages(), SeenClusters()
        self.runner = train(cfg, self.images, self.clusters, *hooks)


@pytest.fixture(scope='module')
def whole(people, tmp_path_factory):
    """An uninterrupted run of 3 epochs of 3 iterations."""
    return Watched(cluster_config(ROOT, people, tmp_path_factory.mktemp('whole')))


def assert_equal_states(found, expected):
    assert len(found) == len(expected)
    for own, other in zip(found, expected, strict=True):
        assert own.keys() == other.keys()
        for name, value in other.items():
            assert torch.equal(own[name], value), name


def assert_same_end(runner, other):
    assert_equal_states([runner.model.state_dict()], [other.model.state_dict()])
    momenta, expected = (
        run.optim_wrapper.optimizer.state_dict()['state'] for run in (runner, other)
    )
    assert_equal_states(list(momenta.values()), list(expected.values()))
    for name in ('reid/mAP', 'reid/mINP'):
        figures = [run.message_hub.log_scalars[f'val/{name}'].data[0] for run in (runner, other)]
        assert figures[0].tolist() == figures[1].tolist()


def test_the_clusters_differ_between_epochs(whole):
    """Or the tests below would not notice labels of another epoch."""
    labels = [start['labels'] for start in whole.clusters.starts]
    assert not torch.equal(labels[0], labels[1]) and not torch.equal(labels[1], labels[2])


def test_the_same_seed_gives_the_same_run(people, whole, tmp_path):
    again = Watched(cluster_config(ROOT, people, tmp_path))
    assert again.images.batches == whole.images.batches
    assert_equal_states(again.clusters.ends, whole.clusters.ends)
    assert_same_end(again.runner, whole.runner)


def test_another_seed_gives_another_run(people, whole, tmp_path):
    other = Watched(cluster_config(ROOT, people, tmp_path, randomness__seed=1))
    assert other.images.batches != whole.images.batches


@pytest.mark.parametrize(
    ('by_epoch', 'iteration', 'start', 'workers'),
    [(True, 4, 3, 0), (False, 5, 5, 1)]
    + [pytest.param(False, start, start, 1, marks=pytest.mark.slow) for start in (1, 3, 8)],
)
def test_killed_and_resumed_equals_uninterrupted(
    people, whole, tmp_path, by_epoch, iteration, start, workers
):
    """After an epoch and in the middle of one, labels and memory included."""
    options = dict(
        resume='auto',
        default_hooks__checkpoint__by_epoch=by_epoch,
        train_dataloader__num_workers=workers,
        train_dataloader__persistent_workers=bool(workers),
    )
    cfg = cluster_config(ROOT, people, tmp_path, **options)
    killed = SeenImages()
    with pytest.raises(KilledError):
        train(cfg, killed, Kill(iteration))
    resumed = Watched(cfg)
    assert resumed.runner.iter == 9
    assert killed.batches == whole.images.batches[:iteration]
    assert resumed.images.batches == whole.images.batches[start:]
    # What is written after the last iteration of an epoch is still of that epoch.
    first = start // 3 if by_epoch else (start - 1) // 3
    # An epoch that is resumed begins with the memory as it was.
    starts, expected = resumed.clusters.starts, whole.clusters.starts[first:]
    assert torch.equal(starts[0]['centres'], expected[0]['centres']) == by_epoch
    assert torch.equal(starts[0]['labels'], expected[0]['labels'])
    assert_equal_states(starts[1:], expected[1:])
    assert_equal_states(resumed.clusters.ends, whole.clusters.ends[first:])
    assert_same_end(resumed.runner, whole.runner)


@pytest.fixture(scope='module')
def tuned(people, tmp_path_factory):
    """A checkpoint of fine-tuning with labels."""
    folder = tmp_path_factory.mktemp('tuned')
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    train(reid_config(ROOT, people, folder, train_cfg__max_epochs=1, **nothing))
    return folder / 'epoch_1.pth'


def test_adaptation_starts_from_what_was_learned_with_labels(people, tuned, tmp_path):
    """The backbone alone; what the run that goes on needs is all in its own checkpoint."""
    own = tmp_path / 'weights.pth'
    own.write_bytes(tuned.read_bytes())
    init_cfg = dict(type='Pretrained', checkpoint=str(own), prefix='backbone.')
    options = dict(resume='auto', model__neck__multi_neck=True, train_cfg__max_epochs=2)
    cfg = cluster_config(ROOT, people, tmp_path / 'run', **options)
    cfg.model.backbone.init_cfg = init_cfg
    start = {}

    class Start(Hook):
        priority = 'HIGHEST'

        def before_train(self, runner):
            start.update({k: v.clone() for k, v in runner.model.state_dict().items()})

    with pytest.raises(KilledError):
        train(cfg, Start(), Kill(4))
    weights = torch.load(tuned, weights_only=True)['state_dict']
    for name, value in start.items():
        if name.startswith('backbone.'):
            assert torch.equal(value, weights[name]), name
    # The necks are fresh.
    assert torch.equal(start['neck.norms.3.running_mean'], torch.zeros(16))
    assert not torch.equal(weights['head.neck.norms.3.running_mean'], torch.zeros(16))
    own.unlink()
    assert train(cfg).iter == 6


@pytest.mark.parametrize('options', [dict(memory__use_hard=False), dict(neck__fusion='mean')])
def test_variants(people, tmp_path, options):
    changes = {f'model__{name}': value for name, value in options.items()}
    seen = SeenClusters()
    runner = train(cluster_config(ROOT, people, tmp_path, train_cfg__max_epochs=1, **changes), seen)
    (end,) = seen.ends
    width = 16 if 'neck__fusion' in options else 32
    assert end['centres'].shape == (int(end['labels'].max()) + 1, width)
    torch.testing.assert_close(end['centres'].norm(dim=1), torch.ones(len(end['centres'])))
    assert runner.message_hub.log_scalars['train/loss'].current() > 0


def test_bfloat16_is_close_to_float32(people, tmp_path):
    losses = {
        amp: train(
            cluster_config(
                ROOT,
                people,
                tmp_path / str(amp),
                train_cfg__max_epochs=1,
                train_dataloader__sampler__iterations=1,
                # Older releases of torch draw other numbers in bfloat16.
                model__backbone__drop_path_rate=0,
                optim_wrapper__amp=amp,
            )
        )
        .message_hub.log_scalars['train/loss']
        .current()
        for amp in (None, 'bfloat16')
    }
    assert losses['bfloat16'] != losses[None]
    assert losses['bfloat16'] == pytest.approx(losses[None], rel=0.02)
