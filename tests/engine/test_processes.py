"""Several processes, or several accumulated batches, give what one large batch gives."""

from pathlib import Path

import pytest
import torch
from processes import run_in_processes
from tiny_runs import other_than_key_biases, pass_config, without_randomness, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from mmengine.config import Config
from passreid.apis import build_runner
from passreid.utils import close_process_group

cfg = Config.fromfile(sys.argv[1])
cfg.launcher = 'pytorch'
runner = build_runner(cfg)
runner.train()
close_process_group(runner)
"""


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('data') / 'crops', count=8)


def config(crops, folder, **changes):
    return without_randomness(
        pass_config(ROOT, crops, folder, train_dataloader__sampler__shuffle=False, **changes)
    )


@pytest.fixture(scope='module')
def whole(crops, tmp_path_factory):
    """Two epochs of two steps of four images in one process."""
    runner = build_runner(config(crops, tmp_path_factory.mktemp('whole')))
    start = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    return runner.model.state_dict(), start


def assert_close(found, whole):
    weights, start = whole
    for name, value in weights.items():
        torch.testing.assert_close(
            other_than_key_biases(name, found[name]),
            other_than_key_biases(name, value),
            atol=2e-5,
            rtol=0,
            msg=name,
        )
    for name in ('teacher.backbone.ln1.weight', 'head.centres', 'neck.prototypes.1.weight'):
        assert not torch.allclose(found[name], start[name], atol=1e-4), f'{name} did not move'


def test_accumulation(crops, whole, tmp_path):
    """Centre and teacher move once an optimiser step, not once a batch."""
    options = dict(train_dataloader__batch_size=2, optim_wrapper__accumulative_counts=2)
    runner = build_runner(config(crops, tmp_path, **options))
    runner.train()
    assert runner.iter == 8
    assert_close(runner.model.state_dict(), whole)


@pytest.mark.parametrize('num_processes', [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes(crops, whole, tmp_path, num_processes):
    cfg = config(crops, tmp_path / 'run', train_dataloader__batch_size=4 // num_processes)
    cfg.dump(tmp_path / 'config.py')
    run_in_processes(PROGRAM, tmp_path, 'config.py', number=num_processes)
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_2.pth', weights_only=True)
    assert_close(checkpoint['state_dict'], whole)
