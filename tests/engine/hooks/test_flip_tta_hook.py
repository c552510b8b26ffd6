from types import SimpleNamespace

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner
from passreid.engine import FlipTTAHook
from passreid.models import FlipTTAModel
from passreid.utils import config_path


class Halves(BaseModel):
    """Its features are the means of the two halves of an image."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        halves = inputs.unflatten(-1, (2, -1)).mean((1, 2, 4))
        return [DataSample(feature=feature) for feature in halves]


def test_features_are_those_of_both_sides():
    runner, hook = SimpleNamespace(model=Halves()), FlipTTAHook()
    inner = runner.model
    for _ in range(2):
        hook.before_test(runner)
        assert runner.model.module is inner
    image = torch.tensor([0.0, 3.0]).repeat_interleave(4).expand(3, 16, 8)
    (sample,) = runner.model.test_step({'inputs': torch.stack([image])})
    torch.testing.assert_close(sample.feature, torch.full((2,), 0.5**0.5))


def test_weights_are_loaded_before(tmp_path):
    people = write_people(tmp_path / 'people')
    cfg = reid_config(config_path().parent, people, tmp_path, model__head__num_classes=8)
    cfg.load_from = str(tmp_path / 'weights.pth')
    cfg.custom_hooks.append(dict(type='FlipTTAHook'))
    with quick_start():
        runner = build_runner(cfg)
        weights = {name: value + 1 for name, value in runner.model.state_dict().items()}
        torch.save({'state_dict': weights}, cfg.load_from)
        runner.test()
    assert isinstance(runner.model, FlipTTAModel)
    for name, value in runner.model.module.state_dict().items():
        assert torch.equal(value, weights[name]), name
