"""What two processes of a run without labels share, and what their test finds.

The weights are not those of one process with the joint batch: the BN-necks normalise over the
images of each process. The memory and the loss are compared by themselves.
"""

import json
from pathlib import Path

import pytest
import torch
from processes import run_in_processes
from tiny_runs import SeenClusters, SeenImages, cluster_config, quick_start, write_people

from passreid.apis import build_runner
from passreid.models import ClusterMemory

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json
import sys
from pathlib import Path

import torch
from tiny_runs import SeenClusters
from mmengine.config import Config
from mmengine.dist import get_rank
from tiny_runs import SeenImages, quick_start

from passreid.apis import build_runner
from passreid.models import ClusterMemory
from passreid.utils import close_process_group


def run(name):
    cfg = Config.fromfile(name + '.py')
    cfg.launcher = 'pytorch'
    runner = build_runner(cfg)
    images, clusters = SeenImages(), SeenClusters()
    runner.register_hook(images)
    runner.register_hook(clusters)
    try:
        runner.train()
    except ValueError as error:
        Path(f'{name}_{get_rank()}.txt').write_text(str(error))
        return runner
    info = runner.message_hub.runtime_info
    gain = [info['figures_before_training'], info['figures_after_training']]
    Path(f'{name}_{get_rank()}.json').write_text(json.dumps([images.batches, gain]))
    state = [runner.model.module.state_dict(), clusters.starts, clusters.ends]
    torch.save(state, f'{name}_{get_rank()}.pth')
    return runner


def contrast(centres, batches, use_hard):
    memory = ClusterMemory(use_hard=use_hard)
    memory.set_centres(centres)
    seen = []
    for features, labels in batches:
        own = slice(6 * get_rank(), 6 * get_rank() + 6)
        features = features[own].requires_grad_()
        loss = memory(features, labels[own])
        loss.backward()
        seen.append([loss.detach(), features.grad, memory.centres])
    return seen


with quick_start():
    for name in sys.argv[1:]:
        runner = run(name)
given = torch.load('batches.pth')
found = {use_hard: contrast(*given, use_hard) for use_hard in (True, False)}
torch.save(found, f'memory_{get_rank()}.pth')
close_process_group(runner)
"""


PATIENT = """
import time
from datetime import timedelta

import torch.distributed as dist
from mmengine.config import Config
from tiny_runs import quick_start
from torch.distributed.distributed_c10d import _set_pg_timeout

from passreid.apis import build_runner
from passreid.engine.hooks import pseudo_label_hook
from passreid.utils import close_process_group

cluster = pseudo_label_hook.cluster_pseudo_labels


def cluster_slowly(features, **settings):
    # Two features are those that try the settings.
    time.sleep(12 if len(features) > 2 else 0)
    return cluster(features, **settings)


pseudo_label_hook.cluster_pseudo_labels = cluster_slowly
cfg = Config.fromfile('config.py')
cfg.launcher = 'pytorch'
with quick_start():
    runner = build_runner(cfg)
    _set_pg_timeout(timedelta(seconds=6), dist.group.WORLD)
    runner.train()
close_process_group(runner)
"""


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('processes')


def options(batch_size, **changes):
    """31 images, which two processes cannot share evenly; 4 clusters x 4 images a step in all."""
    return dict(
        train_dataloader__dataset__indices=31,
        train_dataloader__batch_size=batch_size,
        train_dataloader__sampler__images_per_id=4,
        **changes,
    )


@pytest.fixture(scope='module')
def people(folder):
    return write_people(folder / 'people')


@pytest.fixture(scope='module')
def one(people, folder):
    """An epoch in one process with 16 images a step."""
    images, clusters = SeenImages(), SeenClusters()
    changes = options(16, train_cfg__max_epochs=1)
    runner = build_runner(cluster_config(ROOT, people, folder / 'one', **changes))
    runner.register_hook(images)
    runner.register_hook(clusters)
    runner.train()
    return images.batches, clusters


@pytest.fixture(scope='module')
def batches():
    """Centres of 5 clusters and 3 batches of 12 features, clusters in both halves of some."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor(
        [
            [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3],
            [4, 4, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        ]
    )
    features = torch.randn(3, 12, 6, generator=generator)
    centres = torch.randn(5, 6, generator=generator)
    return centres, list(zip(features, labels, strict=True))


@pytest.fixture(scope='module')
def two(people, folder, batches):
    """Train with 8 images a step in each of two processes: whole, resumed and all outliers."""
    whole = cluster_config(ROOT, people, folder / 'whole', **options(8))
    resumed = cluster_config(ROOT, people, folder / 'resumed', **options(8))
    resumed.update(resume=True, load_from=str(folder / 'whole' / 'epoch_1.pth'))
    outliers = cluster_config(ROOT, people, folder / 'outliers', **options(8))
    outliers.default_hooks.pseudo_labels.eps = 1e-4
    configs = dict(whole=whole, resumed=resumed, outliers=outliers)
    for name, entries in configs.items():
        entries.dump(folder / f'{name}.py')
    torch.save(batches, folder / 'batches.pth')
    run_in_processes(PROGRAM, folder, *configs)

    def outcome(name):
        seen, gains = zip(
            *(json.loads((folder / f'{name}_{rank}.json').read_text()) for rank in range(2)),
            strict=True,
        )
        states = [torch.load(folder / f'{name}_{r}.pth', weights_only=True) for r in range(2)]
        return seen, gains, states

    return outcome


def assert_equal_states(found, expected):
    assert len(found) == len(expected)
    for own, other in zip(found, expected, strict=True):
        assert own.keys() == other.keys()
        for name, value in other.items():
            assert torch.equal(own[name], value), name


def test_labels_memory_and_weights_are_equal_in_all_processes(two):
    _, _, ((weights, *clusters), (other, *also)) = two('whole')
    assert_equal_states([weights], [other])
    for states, others in zip(clusters, also, strict=True):
        assert len(states) == 3
        assert_equal_states(states, others)
    starts, ends = clusters
    assert all(len(state['labels']) == 31 for state in starts)
    assert not any(
        torch.equal(start['centres'], end['centres'])
        for start, end in zip(starts, ends, strict=True)
    )


def test_clusters_and_images_of_a_step_are_those_of_one_process(one, two):
    batches, clusters = one
    seen, _, ((_, starts, _), _) = two('whole')
    assert torch.equal(starts[0]['labels'], clusters.starts[0]['labels'])
    torch.testing.assert_close(
        starts[0]['centres'], clusters.starts[0]['centres'], atol=1e-5, rtol=0
    )
    joint = [first + second for first, second in zip(*seen, strict=True)]
    assert joint[: len(batches)] == batches


def test_the_gain_is_known_in_all_processes(two):
    _, gains, _ = two('whole')
    assert gains[0] == gains[1]
    before, after = gains[0]
    assert before.keys() == after.keys() == {'reid/mAP', 'reid/R1', 'reid/mINP'}


def test_resumed_equals_uninterrupted(two):
    seen, gains, states = two('resumed')
    whole, expected_gains, expected = two('whole')
    assert [list(batches) for batches in seen] == [batches[3:] for batches in whole]
    assert gains == expected_gains
    for (weights, starts, ends), (others, all_starts, all_ends) in zip(
        states, expected, strict=True
    ):
        assert_equal_states([weights], [others])
        assert_equal_states(starts, all_starts[1:])
        assert_equal_states(ends, all_ends[1:])


def test_all_processes_fail_when_everything_is_an_outlier(two, folder):
    messages = [(folder / f'outliers_{rank}.txt').read_text() for rank in range(2)]
    assert messages[0] == messages[1]
    assert 'No image has a cluster' in messages[0] and 'Raise eps' in messages[0]


def test_clustering_may_take_longer_than_the_time_out_of_the_processes(people, tmp_path):
    options_of_one_epoch = options(8, train_cfg__max_epochs=1)
    cfg = cluster_config(ROOT, people, tmp_path / 'run', **options_of_one_epoch)
    cfg.default_hooks.pseudo_labels.timeout = 100
    cfg.dump(tmp_path / 'config.py')
    run_in_processes(PATIENT, tmp_path)
    assert (tmp_path / 'run' / 'epoch_1.pth').is_file()
    (log,) = (tmp_path / 'run').glob('*/*.log')
    assert 'Clustering 31 images' in log.read_text()
    assert '100 s (timeout of PseudoLabelHook)' in log.read_text()


@pytest.mark.parametrize('use_hard', [True, False])
def test_memory_and_loss_are_those_of_the_joint_batch(two, folder, batches, use_hard):
    seen = [torch.load(folder / f'memory_{r}.pth', weights_only=True)[use_hard] for r in range(2)]
    memory = ClusterMemory(use_hard=use_hard)
    centres, given = batches
    memory.set_centres(centres)
    for (features, labels), first, second in zip(given, *seen, strict=True):
        features = features.clone().requires_grad_()
        loss = memory(features, labels)
        loss.backward()
        assert torch.equal(first[2], second[2])
        torch.testing.assert_close(first[2], memory.centres, atol=1e-6, rtol=0)
        torch.testing.assert_close((first[0] + second[0]) / 2, loss, atol=1e-5, rtol=0)
        # Of the mean over the processes, which is what a distributed step takes.
        gradient = torch.cat([first[1], second[1]]) / 2
        torch.testing.assert_close(gradient, features.grad, atol=1e-6, rtol=0)
