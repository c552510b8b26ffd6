from types import SimpleNamespace

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner
from passreid.engine import FlipTTAHook
from passreid.models import FlipTTAModel
from passreid.utils import config_path

ROOT = config_path().parent


class Left(BaseModel):
    """Its features are the two halves of an image."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        halves = inputs.unflatten(-1, (2, -1)).mean((1, 2, 4))
        return [DataSample(feature=feature) for feature in halves]


def test_model_is_wrapped_once():
    runner, hook = SimpleNamespace(model=Left()), FlipTTAHook()
    inner = runner.model
    for _ in range(2):
        hook.before_test(runner)
        assert isinstance(runner.model, FlipTTAModel)
        assert runner.model.module is inner


def test_features_are_those_of_both_sides():
    runner = SimpleNamespace(model=Left())
    FlipTTAHook().before_test(runner)
    image = torch.tensor([0.0, 3.0]).repeat_interleave(4).expand(3, 16, 8)
    (sample,) = runner.model.test_step({'inputs': torch.stack([image])})
    torch.testing.assert_close(sample.feature, torch.full((2,), 0.5**0.5))


def test_weights_are_loaded_before(tmp_path):
    people = write_people(tmp_path / 'people')
    cfg = reid_config(ROOT, people, tmp_path / 'run', model__head__num_classes=8)
    with quick_start():
        runner = build_runner(cfg)
        torch.manual_seed(3)
        runner.model.init_weights()
        weights = {name: value.clone() for name, value in runner.model.state_dict().items()}
        torch.save({'state_dict': weights}, tmp_path / 'weights.pth')
        cfg.load_from = str(tmp_path / 'weights.pth')
        cfg.custom_hooks.append(dict(type='FlipTTAHook'))
        runner = build_runner(cfg)
        figures = [runner.test() for _ in range(2)]
    assert figures[0] == figures[1]
    assert isinstance(runner.model, FlipTTAModel)
    for name, value in runner.model.module.state_dict().items():
        assert torch.equal(value, weights[name]), name
