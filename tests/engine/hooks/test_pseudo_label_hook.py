import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from processes import assert_equal
from tiny_runs import (
    Kill,
    KilledError,
    SeenClusters,
    SeenImages,
    cluster_config,
    train,
    write_people,
)
from torch.nn import functional as F

from passreid import clustering
from passreid.apis import build_runner
from passreid.clustering import cluster_centers, cluster_pseudo_labels
from passreid.engine import PseudoLabelHook
from passreid.visualization import read_run_log

ROOT = Path(__file__).parents[3]
NO_VALIDATION = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)


def config(people, folder, **changes):
    return cluster_config(ROOT, people, folder, **{**NO_VALIDATION, **changes})


def log_of(runner):
    return (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


class LiteralClusters(Hook):
    """Cluster before each epoch in one plain piece, and remember who loads the images."""

    priority = 'HIGHEST'

    def __init__(self):
        self.clusters, self.workers = [], []

    def before_train_epoch(self, runner):
        (self.hook,) = (hook for hook in runner.hooks if isinstance(hook, PseudoLabelHook))
        dataset = runner.train_dataloader.dataset.with_pipeline(self.hook.pipeline)
        samples = pseudo_collate([dataset[index] for index in range(len(dataset))])
        runner.model.eval()
        with torch.no_grad():
            predictions = runner.model.test_step(samples)
        runner.model.train()
        features = torch.stack([sample.feature for sample in predictions]).numpy()
        labels = cluster_pseudo_labels(features, **self.hook.settings)
        centers = torch.from_numpy(cluster_centers(features, labels))
        self.clusters.append((torch.from_numpy(labels), F.normalize(centers)))

    def after_train_epoch(self, runner):
        iterators = (loader._iterator for loader in (runner.train_dataloader, self.hook._loader))
        self.workers.append([worker.pid for one in iterators for worker in one._workers])


@pytest.fixture(scope='module')
def watched(people, tmp_path_factory):
    """A run of three epochs with two workers, and what was seen of it."""
    cfg = config(
        people,
        tmp_path_factory.mktemp('watched'),
        train_dataloader__num_workers=1,
        train_dataloader__persistent_workers=True,
    )
    seen = dict(clusters=SeenClusters(), literal=LiteralClusters())
    return SimpleNamespace(runner=train(cfg, *seen.values()), **seen)


def test_labels_and_memory_are_those_of_the_features(watched):
    """Of the weights that an epoch starts with, in test mode."""
    starts, ends = watched.clusters.starts, watched.clusters.ends
    for start, end, found in zip(starts, ends, watched.literal.clusters, strict=True):
        assert torch.equal(start['labels'], found[0])
        torch.testing.assert_close(start['centers'], found[1], atol=1e-5, rtol=0)
        assert torch.equal(start['labels'], end['labels'])
        assert not torch.equal(start['centers'], end['centers'])
    # The clusters follow the weights, or the test would say little.
    assert len({tuple(start['labels'].tolist()) for start in starts}) == 3


def test_workers_stay_and_change_no_figure(watched, people, tmp_path):
    first, *others = watched.literal.workers
    assert len(set(first)) == 2 and others == [first, first]
    alone = train(config(people, tmp_path))
    for name, value in watched.runner.model.state_dict().items():
        assert torch.equal(alone.model.state_dict()[name], value), name


def test_log_and_curves(watched):
    lines = re.findall(
        r'Epoch (\d): (\d+) clusters .*?, (\d+) of 32 images in none(.* moved)?.*ARI',
        log_of(watched.runner),
    )
    assert [(line[0], bool(line[3])) for line in lines] == [('1', False), ('2', True), ('3', True)]
    log = read_run_log(watched.runner.log_dir)
    for column, name in ((1, 'num_clusters'), (2, 'num_outliers')):
        found = log.series(f'clusters/{name}')[1].tolist()
        assert found == [int(line[column]) for line in lines]
    for name, count in (('moved', 2), ('one_camera', 3)):
        assert len(log.series(f'clusters/{name}')[1]) == count


def test_clusters_of_one_camera_are_warned_of(people, tmp_path):
    divided = tmp_path / 'people'
    shutil.copytree(people, divided)
    for path in sorted((divided / 'bounding_box_train').iterdir()):
        path.rename(path.with_name(re.sub(r'_c\d', f'_c{path.name[3]}', path.name)))
    runner = train(config(divided, tmp_path / 'one', train_cfg__max_epochs=1))
    assert 'hold the images of one camera' in log_of(runner)


def test_true_ids_and_cameras_are_not_used_in_training(watched, people, tmp_path):
    """A folder without them gives the same clusters."""
    seen = SeenClusters()
    cfg = config(people, tmp_path, train_cfg__max_epochs=1)
    pipeline = cfg.train_dataloader.dataset.pipeline
    root = str(people / 'bounding_box_train')
    cfg.train_dataloader.dataset = dict(type='LUPerson', data_root=root, pipeline=pipeline)
    assert 'ARI' not in log_of(train(cfg, seen))
    assert torch.equal(seen.starts[0]['labels'], watched.clusters.starts[0]['labels'])


def test_an_image_that_cannot_be_read_is_left_out(tmp_path):
    people = write_people(tmp_path / 'people')
    broken = sorted((people / 'bounding_box_train').glob('*.jpg'))[9]
    broken.write_bytes(broken.read_bytes()[:100])
    images, seen = SeenImages(), SeenClusters()
    options = dict(train_dataloader__dataset__max_bad_share=0.1)
    runner = train(config(people, tmp_path / 'run', **options), images, seen)
    for start in seen.starts:
        assert start['labels'][9] == -1 and (start['labels'] >= 0).sum() > 20
    assert not any(broken.name in batch for batch in images.batches)
    assert log_of(runner).count('(1 of them cannot be read)') == 3


def test_the_best_checkpoint_may_be_the_start(people, tmp_path):
    """It is validated and saved before any image has a label."""
    changes = dict(default_hooks__checkpoint__save_best='reid/mAP', train_cfg__max_epochs=1)
    train(cluster_config(ROOT, people, tmp_path, **changes))
    (best,) = tmp_path.glob('best_reid_mAP_epoch_*.pth')
    content = torch.load(best, weights_only=True)
    assert ('pseudo_labels' in content) == (best.stem[-1] != '0')


def test_weights_of_another_run_come_without_its_labels(watched, people, tmp_path):
    path = str(Path(watched.runner.work_dir) / 'epoch_3.pth')
    runner = train(config(people, tmp_path, load_from=path, train_cfg__max_epochs=1))
    assert '% moved' not in log_of(runner)


def test_other_images_than_those_of_the_checkpoint(watched, people, tmp_path):
    path = str(Path(watched.runner.work_dir) / 'epoch_1.pth')
    changes = dict(train_dataloader__dataset__indices=28, resume=True, load_from=path)
    with pytest.raises(ValueError, match='labels of 32 images, the data set has 28'):
        train(config(people, tmp_path, **changes))


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(eps=1e-4), ValueError, r'0 clusters .*0\.0001.*raise eps'),
        (dict(eps=0.99, k1=30, k2=6), ValueError, r'1 clusters .*0\.99.*lower eps'),
        (dict(eps=1.0), ValueError, 'eps is 1.0'),
        (dict(search='faiss'), ImportError, 'faiss-cpu'),
    ],
)
def test_settings_of_no_use(people, tmp_path, monkeypatch, settings, error, message):
    """Wrong ones fail before any feature; what was found is logged before it is refused."""
    monkeypatch.setitem(sys.modules, 'faiss', None)
    cfg = config(people, tmp_path)
    cfg.default_hooks.pseudo_labels.update(settings)
    runner = build_runner(cfg)
    with pytest.raises(error, match=message):
        runner.train()
    assert ('clusters of' in log_of(runner)) == ('clusters' in message)


@pytest.mark.parametrize(
    ('values', 'best', 'epochs'),
    [
        ([0.1, 0.3, 0.2, 0.25], 1, 3),  # The last is of the weights that training ends with.
        ([0.1, 0.2, 0.1, 0.3], 3, 3),
        ([0.4, 0.3, 0.2], 0, 2),
    ],
)
def test_best_clusters_are_kept(people, tmp_path, monkeypatch, values, best, epochs):
    given = iter(values)
    monkeypatch.setattr(clustering, 'cluster_silhouette', lambda *_: next(given))
    cfg = config(people, tmp_path)
    cfg.default_hooks.pseudo_labels.patience = 2
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    runner = train(cfg)
    assert next(given, None) is None and runner.epoch == epochs
    kept = torch.load(tmp_path / 'best_clusters.pth', weights_only=True)
    assert kept['meta']['epoch'] == best and 'optimizer' not in kept
    text = log_of(runner)
    assert f'(silhouette {max(values):.4f}, at the start {values[0]:.4f})' in text
    assert ('training stops' in text) == (epochs < 3) == ('keep what it started from' in text)
    if best:
        expected = torch.load(tmp_path / f'epoch_{best}.pth', weights_only=True)['state_dict']
        assert_equal(kept['state_dict'], expected)


def test_best_clusters_of_a_resumed_run(people, tmp_path, monkeypatch):
    for values in ([0.1, 0.5, 0.2], [0.3, 0.4]):
        given = iter(values)
        monkeypatch.setattr(clustering, 'cluster_silhouette', lambda *_, given=given: next(given))
        cfg = config(people, tmp_path, resume='auto')
        cfg.default_hooks.pseudo_labels.patience = 9
        if values[0] == 0.1:
            with pytest.raises(KilledError):
                train(cfg, Kill(7))
    runner = train(cfg)
    assert '0.5000, at the start 0.1000) are of the weights after 1 epochs' in log_of(runner)
