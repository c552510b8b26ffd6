from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from pass_run import pass_config, without_randomness, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[3]


class At(Hook):
    """Do something to the model before an iteration."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            self.action(runner.model)


@pytest.fixture
def run(tmp_path):
    crops = write_crops(tmp_path / 'crops', count=8)

    def start(action):
        cfg = without_randomness(pass_config(ROOT, crops, tmp_path / 'run'))
        runner = build_runner(cfg)
        runner.register_hook(At(1, action))
        with pytest.raises(FloatingPointError) as caught:
            runner.train()
        assert runner.iter == 1
        return runner, str(caught.value)

    return start


def test_bad_weight_is_named(run):
    def spoil(model):
        with torch.no_grad():
            model.backbone.layers[1].ffn.layers[1].weight[0, 0] = float('nan')

    _, message = run(spoil)
    assert 'iteration 2 in loss' in message
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
