"""What two processes share: the weights of one large batch, pseudo labels, and failures."""

from pathlib import Path

import pytest
import torch
from processes import assert_equal, run_in_processes
from tiny_runs import (
    cluster_config,
    masked_config,
    other_than_key_biases,
    pass_config,
    train,
    without_randomness,
    write_crops,
    write_people,
)

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from tiny_runs import SeenClusters, SeenImages, quick_start

from passreid.apis import build_runner
from passreid.utils import close_process_group


class SpoilOne(Hook):
    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 1 and get_rank() == 1:
            memory = runner.model.module.memory
            memory.register_forward_hook(lambda module, inputs, loss: loss * float('nan'))


def run(name):
    cfg = Config.fromfile(name + '.py')
    cfg.launcher = 'pytorch'
    runner = build_runner(cfg)
    images, clusters = SeenImages(), SeenClusters()
    for hook in [images] + [clusters] * hasattr(runner.model.module, 'memory'):
        runner.register_hook(hook)
    if name == 'spoiled':
        runner.register_hook(SpoilOne())
    error = ''
    try:
        runner.train()
    except (FloatingPointError, ValueError) as raised:
        error = str(raised)
    before = runner.message_hub.runtime_info.get('figures_before_training')
    history = runner.message_hub.log_scalars.get('val/reid/mAP')
    gain = [before, history and float(history.current())]
    seen = dict(images=images.batches, starts=clusters.starts, ends=clusters.ends)
    seen |= dict(error=error, weights=runner.model.module.state_dict(), gain=gain)
    torch.save(seen, f'{name}_{get_rank()}.pth')
    return runner


with quick_start():
    for name in sys.argv[1:]:
        runner = run(name)
close_process_group(runner)
"""


def pre_training(root, name, make=pass_config, **changes):
    changes |= dict(train_dataloader__sampler__shuffle=False)
    return without_randomness(make(ROOT, root / 'crops', root / name, **changes))


def clusters(root, name, **changes):
    """31 images, which two processes cannot share evenly; 4 clusters x 4 images a step in all."""
    changes |= dict(
        train_dataloader__dataset__indices=31, train_dataloader__sampler__images_per_id=4
    )
    return cluster_config(ROOT, root / 'people', root / name, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('processes')
    write_crops(root / 'crops', count=8)
    write_people(root / 'people')
    return root


@pytest.fixture(scope='module')
def two(folder):
    """Run everything in two processes; return what each of them saw of a run."""
    configs = dict(
        shared=pre_training(folder, 'shared', train_dataloader__batch_size=2),
        masked=pre_training(folder, 'masked', masked_config, train_dataloader__batch_size=2),
        whole=clusters(folder, 'whole'),
        resumed=clusters(folder, 'resumed'),
        outliers=clusters(folder, 'outliers', default_hooks__pseudo_labels__eps=1e-4),
        spoiled=clusters(folder, 'spoiled'),
    )
    configs['resumed'].update(resume=True, load_from=str(folder / 'whole' / 'epoch_1.pth'))
    for name, cfg in configs.items():
        cfg.dump(folder / f'{name}.py')
    run_in_processes(PROGRAM, folder, *configs)

    def seen(name):
        return [torch.load(folder / f'{name}_{rank}.pth', weights_only=True) for rank in range(2)]

    return seen


@pytest.fixture(scope='module')
def one(folder):
    """Two epochs of two steps of four images in one process."""
    return train(pre_training(folder, 'one')).model.state_dict()


def assert_close(found, expected):
    for name, value in expected.items():
        torch.testing.assert_close(
            other_than_key_biases(name, found[name]),
            other_than_key_biases(name, value),
            atol=2e-5,
            rtol=0,
            msg=name,
        )


def test_accumulation(folder, one):
    """Center and teacher move once an optimizer step, not once a batch."""
    options = dict(train_dataloader__batch_size=2, optim_wrapper__accumulative_counts=2)
    runner = train(pre_training(folder, 'accumulated', **options))
    assert runner.iter == 8
    assert_close(runner.model.state_dict(), one)


@pytest.mark.slow
def test_pre_training(two, one):
    for seen in two('shared'):
        assert_close(seen['weights'], one)


@pytest.mark.slow
def test_masked_pre_training(two, folder):
    one = train(pre_training(folder, 'one masked', masked_config)).model.state_dict()
    for seen in two('masked'):
        assert_close(seen['weights'], one)


@pytest.mark.slow
def test_labels_memory_weights_and_gain_are_equal_in_all_processes(two):
    first, second = two('whole')
    assert first['gain'] == second['gain'] and None not in first['gain']
    assert first['images'] != second['images']
    for name in ('weights', 'starts', 'ends'):
        assert_equal(first[name], second[name])
    assert len(first['starts']) == len(first['ends']) == 3


@pytest.mark.slow
def test_resumed_equals_uninterrupted(two):
    for own, whole in zip(two('resumed'), two('whole'), strict=True):
        assert own['images'] == whole['images'][3:]
        assert own['gain'] == whole['gain']
        assert_equal(own['weights'], whole['weights'])
        for when in ('starts', 'ends'):
            assert_equal(own[when], whole[when][1:])


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'message'), [('outliers', 'cluster'), ('spoiled', 'iteration 2')])
def test_all_processes_fail_alike(two, name, message):
    """Of a bad loss, which asks the other processes, the images of its process are named."""
    first, second = two(name)
    assert message in first['error'] and first['error'] == second['error']
    if name == 'spoiled':
        assert all(image in first['error'] for image in second['images'][-1])
        assert not all(image in first['error'] for image in first['images'][-1])
