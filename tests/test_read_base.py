"""A config in Python's own style, with classes as types, equals that with strings."""

import inspect
import runpy
from pathlib import Path

import pytest
import torch
from documentation import make_small
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_runs import quick_start

from passreid.apis import build_runner, load_config
from passreid.utils import config_path

NAME = 'pass/pass_vit-t8_synthetic.py'
LEAF = """
from mmengine.config import read_base

with read_base():
    from .._base_.default_runtime import *
    from .._base_.datasets.synthetic_views import *
    from .._base_.models.pass_vit_t8 import *
    from .._base_.schedules.adamw_2e import *

from mmengine.dataset import default_collate
from mmengine.optim import CosineAnnealingLR

from passreid.datasets import SyntheticReID
from passreid.datasets.transforms import PartAwareMultiCrop
from passreid.engine import GroupedOptimWrapperConstructor, SafeCheckpointHook, TeacherHook
from passreid.models import PASS, PartViT

model.update(type=PASS)
model.backbone.update(type=PartViT)
train_pipeline[1].update(type=PartAwareMultiCrop)
train_dataloader.collate_fn.update(type=default_collate)
train_dataloader.dataset.update(type=SyntheticReID)
optim_wrapper.update(constructor=GroupedOptimWrapperConstructor)
param_scheduler[1].update(type=CosineAnnealingLR)
default_hooks.checkpoint.update(type=SafeCheckpointHook)
custom_hooks[1].update(type=TeacherHook)
"""


def entries(cfg):
    """Return what a run reads of a config."""
    read = set(inspect.signature(Runner.__init__).parameters)
    return {key: value for key, value in cfg.to_dict().items() if key in read}


def test_runners_are_equal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '_base_').symlink_to(config_path('_base_'))
    (tmp_path / 'pass').mkdir()
    path = tmp_path / NAME.replace('-', '_')
    path.write_text(LEAF)
    with quick_start():
        configs = [load_config(path), load_config(config_path(NAME))]
        # FUNCTIONS of mmengine, the one registry that has no node here.
        configs[0].train_dataloader.collate_fn.type = 'default_collate'
        assert entries(configs[0]) == entries(configs[1])
        runners = []
        for cfg in configs:
            make_small(cfg).work_dir = f'run_{len(runners)}'
            torch.manual_seed(0)
            runners.append(build_runner(cfg))
    own, expected = runners
    weights = expected.model.state_dict()
    assert own.model.state_dict().keys() == weights.keys()
    for key, value in own.model.state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert [type(hook) for hook in own.hooks] == [type(hook) for hook in expected.hooks]
    # What was written in the work directory is a config with strings.
    (path,) = Path(own.work_dir).glob('*.py')
    assert entries(Config.fromfile(path)) == entries(own.cfg)


@pytest.mark.parametrize('path', sorted(config_path('_base_').rglob('*.py')), ids=lambda p: p.stem)
def test_base_files_can_be_imported(path):
    """From configs of both styles, so that they inherit from no other by themselves."""
    assert path.stem.isidentifier()
    assert '_base_ =' not in path.read_text()
    runpy.run_path(path)
