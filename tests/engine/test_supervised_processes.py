"""What two processes of a supervised run share, and what their test finds.

A step of two processes with 8 images each sees the 16 images of one process, in the same order.
Its weights are not the same: the BN-necks normalise, and the triplet loss looks for its hardest
pairs, among the images of each process.
"""

import json
from pathlib import Path

import pytest
import torch
from processes import run_in_processes
from tiny_runs import SeenImages, quick_start, reid_config, write_people

from passreid.apis import build_runner, prepare_test

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from tiny_runs import SeenImages, quick_start

from passreid.apis import build_runner
from passreid.utils import close_process_group

def run(name):
    cfg = Config.fromfile(name + '.py')
    cfg.launcher = 'pytorch'
    runner = build_runner(cfg)
    seen = SeenImages()
    runner.register_hook(seen)
    if cfg.load_from:
        figures = runner.test()
    else:
        runner.train()
        history = runner.message_hub.log_scalars
        figures = {key: value.current() for key, value in history.items() if 'reid/' in key}
    Path(f'{name}_{get_rank()}.json').write_text(json.dumps([seen.batches, figures]))
    torch.save(runner.model.module.state_dict(), f'{name}_{get_rank()}.pth')
    return runner


with quick_start():
    for name in sys.argv[1:]:
        runner = run(name)
close_process_group(runner)
"""
VARIANTS = {
    'published': {},
    'plain': dict(
        model__backbone__num_parts=0,
        model__head__num_parts=0,
        model__head__metric_loss=None,
        model__head__multi_neck=False,
        model__head__test_feature='after_neck',
    ),
}


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('processes')


@pytest.fixture(scope='module')
def one(folder):
    """Train with 16 images a step in one process, then test its checkpoint."""
    people = write_people(folder / 'people')
    cfg = reid_config(ROOT, people, folder / 'one', train_dataloader__batch_size=16)
    runner = build_runner(cfg)
    seen = SeenImages()
    runner.register_hook(seen)
    runner.train()
    return people, cfg, seen.batches


def as_test(cfg, folder, checkpoint, **options):
    cfg.work_dir = str(folder / 'test')
    prepare_test(cfg, checkpoint, **options)
    return cfg


@pytest.fixture(scope='module')
def two(one, folder):
    """Train the variants with 8 images a step in each of two processes; test one checkpoint."""
    people, cfg, _ = one
    configs = {
        name: reid_config(ROOT, people, folder / name, **changes)
        for name, changes in VARIANTS.items()
    }
    # 25 images in batches of 4: 4, 4, 4 and 1 or nothing but a repeated image.
    cfg.test_dataloader.batch_size = 4
    configs['test'] = as_test(cfg, folder, folder / 'one' / 'epoch_2.pth', rerank=True)
    for name, entries in configs.items():
        entries.dump(folder / f'{name}.py')
    run_in_processes(PROGRAM, folder, *configs)

    def outcome(name):
        seen, figures = zip(
            *(json.loads((folder / f'{name}_{rank}.json').read_text()) for rank in range(2)),
            strict=True,
        )
        weights = [torch.load(folder / f'{name}_{r}.pth', weights_only=True) for r in range(2)]
        return seen, figures, weights

    return outcome


def test_the_images_of_a_step_are_those_of_one_process(one, two):
    seen, _, _ = two('published')
    assert [first + second for first, second in zip(*seen, strict=True)] == one[2]


@pytest.mark.parametrize('name', VARIANTS)
def test_weights_are_equal_in_all_processes(two, name):
    _, figures, weights = two(name)
    assert figures[0] == figures[1] != {}
    for key, value in weights[0].items():
        assert torch.equal(weights[1][key], value), key


@pytest.mark.parametrize('name', VARIANTS)
def test_validation_is_that_of_the_checkpoint(two, one, folder, tmp_path, name):
    """Also where features depend on the statistics of the batches that a process has seen."""
    _, (figures, _), _ = two(name)
    cfg = reid_config(ROOT, one[0], tmp_path, **VARIANTS[name])
    found = build_runner(as_test(cfg, tmp_path, folder / name / 'epoch_2.pth')).test()
    assert figures == {f'val/{key}': value for key, value in found.items()}


def test_uneven_batches_of_two_processes_give_the_figures_of_one(one, two, tmp_path):
    _, (figures, other), _ = two('test')
    cfg = as_test(one[1], tmp_path, one[1].load_from, rerank=True)
    assert figures == other == build_runner(cfg).test()
    assert len(figures) == 12
