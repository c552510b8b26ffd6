"""Configs in Python's own style, with classes as types, equal those with strings."""

import inspect
import runpy

import pytest
import torch
from documentation import make_small, provide_checkpoint
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_runs import quick_start

from passreid import get_model
from passreid.apis import ReIDInferencer, build_runner, load_config, prepare_test
from passreid.utils import config_path

HEAD = 'from mmengine.config import read_base\n\n'
BASES = """
with read_base():
    from .._base_.default_runtime import *
    from .._base_.datasets.{data} import *
    from .._base_.models.{model} import *
    from .._base_.schedules.{schedule} import *
"""
CLUSTERS = """
from mmengine.dataset import DefaultSampler
from mmengine.hooks import IterTimerHook
from torch.optim import AdamW

from passreid.datasets import CrossCameraIdentitySampler, SyntheticReID
from passreid.datasets.transforms import LoadPersonImage
from passreid.engine import EvaluationGainHook, NonFiniteHook, PseudoLabelHook, ResumableEpochLoop
from passreid.evaluation import ReIDMetric
from passreid.models import ClusterContrast, ClusterMemory, PartViT
from passreid.models import ReIDDataPreprocessor
from passreid.models.layers.bn_neck import BNNeck

model.update(type=ClusterContrast)
model.data_preprocessor.update(type=ReIDDataPreprocessor)
model.backbone.update(type=PartViT)
model.neck.update(type=BNNeck)
model.memory.update(type=ClusterMemory)
train_pipeline[0].update(type=LoadPersonImage)
train_dataloader.update(
    sampler=dict(type=CrossCameraIdentitySampler, images_per_id=4, iterations=30)
)
train_dataloader.dataset.update(type=SyntheticReID, domain='b')
val_dataloader.update(sampler=dict(type=DefaultSampler, shuffle=False))
val_dataloader.dataset.update(type=SyntheticReID, domain='b')
val_evaluator.update(type=ReIDMetric)
test_dataloader = val_dataloader
train_cfg.update(type=ResumableEpochLoop)
optim_wrapper.optimizer.update(type=AdamW, lr=1e-3)
default_hooks.timer.update(type=IterTimerHook)
default_hooks.update(
    pseudo_labels=dict(type=PseudoLabelHook, pipeline=test_pipeline, eps=0.5, k1=12)
)
custom_hooks = [dict(type=NonFiniteHook), dict(type=EvaluationGainHook)]
"""
# A leaf of each task, and the same in Python's own style.
LEAVES = {
    'pass/pass_vit-t16_synthetic.py': HEAD
    + BASES.format(data='synthetic_views', model='pass_vit_t8', schedule='adamw_2e')
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
    'supervised/vit-t8-all_synthetic.py': HEAD
    + BASES.format(data='reid_synthetic', model='reid_vit_t8', schedule='adamw_30e')
    + """
import mmpretrain.models
from mmengine.model import PretrainedInit

import passreid.models
from passreid.datasets import IdentitySampler, SyntheticReID
from passreid.engine import WarmupCosineLR

model.update(type=mmpretrain.models.ImageClassifier)
model.backbone.update(type=passreid.models.PartViT)
model.backbone.init_cfg.update(type=PretrainedInit)
model.head.update(type=passreid.models.ReIDHead)
model.head.metric_loss.update(type=passreid.models.TripletLoss)
train_dataloader.sampler.update(type=IdentitySampler)
train_dataloader.dataset.update(type=SyntheticReID)
param_scheduler[0].update(type=WarmupCosineLR)
""",
    'usl/usl_vit-t8_synthetic.py': HEAD
    + BASES.format(data='reid_synthetic', model='cluster_vit_t8', schedule='adamw_30e')
    + CLUSTERS,
    'uda/uda_vit-t8_synthetic.py': HEAD
    + """
with read_base():
    from ..usl.usl_vit_t8_synthetic import *

from mmengine.model import PretrainedInit

model.backbone.update(
    init_cfg=dict(
        type=PretrainedInit, checkpoint='work_dirs/vit-t8-all_synthetic/epoch_30.pth'
    )
)
model.neck.update(multi_neck=True)
""",
}
leaves = pytest.mark.parametrize('name', LEAVES)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Folder in which the leaves of Python's own style lie beside the `_base_` files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / '_base_').symlink_to(config_path('_base_'))
    for name, text in LEAVES.items():
        path = tmp_path / name.replace('-', '_')
        path.parent.mkdir()
        path.write_text(text)
    with quick_start():
        yield lambda name: tmp_path / name.replace('-', '_')


def entries(cfg):
    """Return what a run reads of a config."""
    read = set(inspect.signature(Runner.__init__).parameters)
    return {key: value for key, value in cfg.to_dict().items() if key in read}


@leaves
def test_entries_are_equal(written, name):
    own, expected = load_config(written(name)), load_config(config_path(name))
    # FUNCTIONS of mmengine, the one registry that has no node here.
    collate = 'mmengine.dataset.utils.default_collate'
    if own.train_dataloader.get('collate_fn', {}).get('type') == collate:
        own.train_dataloader.collate_fn.type = 'default_collate'
    assert entries(own) == entries(expected)


@leaves
def test_runners_are_equal(written, name):
    runners = []
    for path in (written(name), config_path(name)):
        cfg = make_small(load_config(path))
        cfg.work_dir = f'run_{len(runners)}'
        torch.manual_seed(0)
        runners.append(build_runner(cfg))
    own, expected = runners
    weights = expected.model.state_dict()
    assert own.model.state_dict().keys() == weights.keys()
    for key, value in own.model.state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert [type(hook) for hook in own.hooks] == [type(hook) for hook in expected.hooks]
    if name.startswith('supervised'):
        assert own.model.head.classifier is not None
    # What was written in the work directory is a config with strings.
    (path,) = (written('') / own.work_dir).glob('*.py')
    assert entries(Config.fromfile(path)) == entries(own.cfg)


def test_scope_need_not_be_named(written):
    path = written('supervised/vit-t8-all_synthetic.py')
    path.write_text(path.read_text().replace('    from .._base_.default_runtime import *\n', ''))
    cfg = make_small(load_config(path))
    assert 'default_scope' not in cfg
    assert build_runner(cfg).default_scope.scope_name == 'passreid'


def test_figures_of_a_test_are_equal(written):
    name = 'supervised/vit-t8-all_synthetic.py'
    checkpoint = written('weights.pth')
    provide_checkpoint(checkpoint, config_path(name))
    figures = []
    for path in (written(name), config_path(name)):
        cfg = make_small(load_config(path))
        cfg.work_dir = 'run'
        prepare_test(cfg, checkpoint, rerank=True, flip=True)
        figures.append(build_runner(cfg).test())
    assert figures[0] == figures[1]
    assert 'reid/rerank_mAP' in figures[0]


def test_models_have_one_fingerprint(written):
    name = 'supervised/vit-t8-all_synthetic.py'
    found = set()
    for path in (written(name), config_path(name)):
        torch.manual_seed(0)
        found.add(ReIDInferencer(get_model(path)).fingerprint)
    assert len(found) == 1


@pytest.mark.parametrize('path', sorted(config_path('_base_').rglob('*.py')), ids=lambda p: p.stem)
def test_base_files_can_be_imported(path):
    """From configs of both styles, so that they inherit from no other by themselves."""
    assert path.stem.isidentifier()
    assert '_base_ =' not in path.read_text()
    runpy.run_path(path)
