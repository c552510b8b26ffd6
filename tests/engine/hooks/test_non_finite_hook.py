from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from processes import run_in_processes
from tiny_runs import (
    SeenImages,
    cluster_config,
    halve,
    pass_config,
    quick_start,
    without_randomness,
    write_crops,
    write_people,
)

from passreid.apis import build_runner

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


class At(Hook):
    """Do something to the model before an iteration."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            self.action(runner.model)


@pytest.fixture
def run(tmp_path):
    crops = write_crops(tmp_path / 'crops', count=16)

    def start(action, stop=2, dtype=None, **hook):
        cfg = without_randomness(pass_config(ROOT, crops, tmp_path / 'run'))
        cfg.custom_hooks[0].update(hook)
        runner = build_runner(halve(cfg, dtype) if dtype else cfg)
        runner.register_hook(At(1, action))
        seen = SeenImages()
        runner.register_hook(seen)
        with pytest.raises(FloatingPointError) as caught:
            runner.train()
        assert len(seen.batches) == stop
        message = str(caught.value)
        # The second batch is the bad one, whenever that is noticed.
        assert 'iteration 2 in ' in message
        for number, batch in enumerate(seen.batches, start=1):
            assert all((name in message) == (number == 2) for name in batch)
        return runner, message

    return start


def spoil_one_loss(model):
    """Multiply what one batch gets out of a layer by infinity."""

    def spoil(module, inputs, output):
        handle.remove()
        return output * float('inf')

    handle = model.backbone.layers[0].ln2.register_forward_hook(spoil)


def test_iterations_that_are_looked_at_together_are_told_apart(run):
    """As on a GPU, where each look is a wait."""
    runner, message = run(spoil_one_loss, stop=3, interval=3)
    assert runner.iter == 2
    assert 'none was found afterwards' in message


def test_nothing_bad_is_saved(run, tmp_path):
    run(spoil_one_loss, stop=4, interval=50)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_output_that_leaves_the_range_of_float16_is_named(run):
    def spoil(model):
        model.backbone.layers[1].ln2.register_forward_hook(lambda m, i, output: output * 1e6)

    runner, message = run(spoil, dtype='float16')
    assert 'output of backbone.layers.1.ffn' in message
    assert all(p.isfinite().all() for p in runner.model.parameters())


PROGRAM = """
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from tiny_runs import SeenImages, quick_start

from passreid.apis import build_runner
from passreid.utils import close_process_group


class SpoilOne(Hook):
    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 1 and get_rank() == 1:
            memory = runner.model.module.memory
            memory.register_forward_hook(lambda module, inputs, loss: loss * float('nan'))


cfg = Config.fromfile('config.py')
cfg.launcher = 'pytorch'
with quick_start():
    runner = build_runner(cfg)
    runner.register_hook(SpoilOne())
    seen = SeenImages()
    runner.register_hook(seen)
    try:
        runner.train()
    except FloatingPointError as error:
        Path(f'{get_rank()}.txt').write_text(f'{" ".join(seen.batches[-1])}|{error}')
close_process_group(runner)
"""


def test_all_processes_stop_when_one_of_them_has_a_bad_loss(tmp_path):
    """The loss asks the other processes, which nobody may do alone."""
    people = write_people(tmp_path / 'people')
    changes = dict(train_dataloader__batch_size=4, train_dataloader__sampler__images_per_id=2)
    cluster_config(ROOT, people, tmp_path / 'run', **changes).dump(tmp_path / 'config.py')
    run_in_processes(PROGRAM, tmp_path)
    outcomes = [(tmp_path / f'{rank}.txt').read_text().split('|') for rank in range(2)]
    (other, message), (spoiled, same) = outcomes
    assert message == same
    assert 'iteration 2 in loss' in message
    assert all(name in message for name in spoiled.split())
    assert not all(name in message for name in other.split())


def test_bad_weight_is_named(run):
    def spoil(model):
        with torch.no_grad():
            model.backbone.layers[1].ffn.layers[1].weight[0, 0] = float('nan')

    runner, message = run(spoil)
    assert 'iteration 2 in loss' in message
    assert runner.iter == 1
    assert 'parameter or buffer backbone.layers.1.ffn.layers.1.weight' in message


def test_bad_activation_is_named(run):
    def spoil(model):
        model.backbone.layers[0].ln2.register_forward_hook(lambda m, i, output: output * 1e38 * 10)

    runner, message = run(spoil)
    assert 'output of backbone.layers.0.ln2 (LayerNorm)' in message
    assert all(p.isfinite().all() for p in runner.model.parameters())


def test_bad_gradient_is_named_and_not_applied(run):
    before = {}

    def spoil(model):
        before.update({name: p.clone() for name, p in model.named_parameters()})
        model.backbone.cls_token.register_hook(lambda gradient: gradient * float('inf'))

    runner, message = run(spoil)
    assert 'iteration 2 in gradients' in message
    assert 'gradient of backbone.cls_token' in message
    for name, parameter in runner.model.named_parameters():
        assert torch.equal(parameter, before[name]), name
