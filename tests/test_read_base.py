"""Configs in Python's own style, with classes as types, equal those with strings."""

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

BASES = """
from mmengine.config import read_base

with read_base():
    from .._base_.default_runtime import *
    from .._base_.datasets.{data} import *
    from .._base_.models.{model} import *
    from .._base_.schedules.{schedule} import *
"""
# Leaves, and the same in Python's own style.
LEAVES = {
    'pass/pass_vit-t8_synthetic.py': BASES.format(
        data='synthetic_views', model='pass_vit_t8', schedule='adamw_2e'
    )
    + """
from mmengine.dataset import default_collate
from mmengine.optim import CosineAnnealingLR

from passreid.datasets import ResumableSampler, SyntheticReID
from passreid.datasets.transforms import PartAwareMultiCrop
from passreid.engine import GroupedOptimWrapperConstructor, SafeCheckpointHook, TeacherHook
from passreid.models import PASS, PartViT, PASSDataPreprocessor, PASSHead, PASSNeck

model.update(type=PASS)
model.data_preprocessor.update(type=PASSDataPreprocessor)
model.backbone.update(type=PartViT)
model.neck.update(type=PASSNeck)
model.head.update(type=PASSHead)
train_pipeline[1].update(type=PartAwareMultiCrop)
train_dataloader.sampler.update(type=ResumableSampler)
train_dataloader.collate_fn.update(type=default_collate)
train_dataloader.dataset.update(type=SyntheticReID)
optim_wrapper.update(constructor=GroupedOptimWrapperConstructor)
param_scheduler[1].update(type=CosineAnnealingLR)
default_hooks.checkpoint.update(type=SafeCheckpointHook)
custom_hooks[1].update(type=TeacherHook)
""",
    'uda/uda_vit-t8_synthetic.py': BASES.format(
        data='reid_synthetic', model='cluster_vit_t8', schedule='adamw_30e'
    )
    + """
from torch.optim import AdamW

from passreid.datasets import CrossCameraIdentitySampler
from passreid.engine import NonFiniteHook, PseudoLabelHook
from passreid.evaluation import ReIDMetric
from passreid.models import ClusterContrast, ClusterMemory

model.update(type=ClusterContrast)
model.backbone.init_cfg.update(checkpoint='work_dirs/vit-t8-all_synthetic/epoch_30.pth')
model.neck.update(multi_neck=True)
model.memory.update(type=ClusterMemory)
train_dataloader.update(
    sampler=dict(type=CrossCameraIdentitySampler, images_per_id=4, iterations=30)
)
for loader in (train_dataloader, val_dataloader):
    loader.dataset.update(domain='b')
test_dataloader = val_dataloader
val_evaluator.update(type=ReIDMetric)
optim_wrapper.optimizer.update(type=AdamW, lr=1e-3)
default_hooks.update(
    pseudo_labels=dict(type=PseudoLabelHook, pipeline=test_pipeline, eps=0.5, k1=12)
)
custom_hooks = [dict(type=NonFiniteHook), dict(type='GainHook')]
""",
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a leaf in Python's own style beside the `_base_` files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / '_base_').symlink_to(config_path('_base_'))

    def write(name):
        path = tmp_path / name.replace('-', '_')
        path.parent.mkdir()
        path.write_text(LEAVES[name])
        return path

    with quick_start():
        yield write


def entries(cfg):
    """Return what a run reads of a config."""
    read = set(inspect.signature(Runner.__init__).parameters)
    return {key: value for key, value in cfg.to_dict().items() if key in read}


@pytest.mark.parametrize('name', LEAVES)
def test_runners_are_equal(written, name):
    configs = [load_config(path) for path in (written(name), config_path(name))]
    # FUNCTIONS of mmengine, the one registry that has no node here.
    if name.startswith('pass/'):
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
