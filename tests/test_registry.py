import inspect
from functools import partial

import mmcv.transforms
import mmengine
import mmpretrain.registry
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope, Registry
from mmpretrain.models import ImageClassifier

from passreid import registry
from passreid.models import PartViT
from passreid.utils import register_all_modules

NODES = {name: node for name, node in inspect.getmembers(registry) if isinstance(node, Registry)}


@pytest.fixture(autouse=True)
def default_scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('passreid'):
        yield


@pytest.mark.parametrize('name', NODES)
def test_node_is_a_child_of_its_namesake_in_mmpretrain(name):
    assert NODES[name].scope == 'passreid'
    assert NODES[name].parent is getattr(mmpretrain.registry, name)


def test_only_tokenizers_have_no_node():
    nodes = inspect.getmembers(mmpretrain.registry, lambda item: isinstance(item, Registry))
    names = {name for name, node in nodes if node.scope == 'mmpretrain'}
    assert names - set(NODES) == {'TOKENIZER'}


@pytest.mark.parametrize(
    ('node', 'kind', 'package'),
    [
        ('DATASETS', 'CustomDataset', 'mmpretrain'),
        ('DATA_SAMPLERS', 'RepeatAugSampler', 'mmpretrain'),
        ('DATA_SAMPLERS', 'DefaultSampler', 'mmengine'),
        ('HOOKS', 'EMAHook', 'mmpretrain'),
        ('HOOKS', 'CheckpointHook', 'mmengine'),
        ('METRICS', 'Accuracy', 'mmpretrain'),
        ('MODELS', 'VisionTransformer', 'mmpretrain'),
        ('MODELS', 'CosineEMA', 'mmpretrain'),
        ('MODEL_WRAPPERS', 'MMDistributedDataParallel', 'mmengine'),
        ('OPTIM_WRAPPERS', 'AmpOptimWrapper', 'mmengine'),
        ('OPTIMIZERS', 'AdamW', 'torch'),
        ('PARAM_SCHEDULERS', 'CosineAnnealingWeightDecay', 'mmpretrain'),
        ('TRANSFORMS', 'PackInputs', 'mmpretrain'),
        ('VISUALIZERS', 'UniversalVisualizer', 'mmpretrain'),
        ('DATASETS', 'Market1501', 'passreid'),
        ('HOOKS', 'TeacherHook', 'passreid'),
        ('MODELS', 'PartViT', 'passreid'),
    ],
)
def test_unprefixed_types_resolve(node, kind, package):
    # The Runner looks types up from mmengine's root nodes.
    with getattr(mmengine.registry, node).switch_scope_and_registry(None) as registry_in_use:
        found = registry_in_use.get(kind)
    assert found.__module__.split('.')[0] == package
    assert NODES[node].get(kind) is found


def test_inner_defaults_of_mmpretrain_resolve():
    backbone = ROOT_MODELS.build(
        {
            'type': 'VisionTransformer',
            'arch': {
                'embed_dims': 8,
                'num_layers': 1,
                'num_heads': 1,
                'feedforward_channels': 8,
            },
            'img_size': 32,
        }
    )
    assert type(backbone.patch_embed).__name__ == 'PatchEmbed'


def test_prefix_reaches_passreid_from_another_scope():
    with ROOT_MODELS.switch_scope_and_registry('mmpretrain') as node:
        assert node.get('passreid.PartViT') is NODES['MODELS'].get('PartViT')


class Unregistered:
    pass


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('PartViT', PartViT),
        ('passreid.PartViT', PartViT),
        ('passreid.models.backbones.PartViT', PartViT),
        (PartViT, PartViT),
        ('mmpretrain.ImageClassifier', ImageClassifier),
        ('NoSuchModel', object),
        (None, object),
        (print, object),
    ],
)
def test_type_of_an_entry(kind, expected):
    assert registry.type_of({'type': kind}, registry.MODELS) is expected
    assert registry.type_of({'other': kind}, registry.MODELS) is object
    assert registry.type_of(kind, registry.MODELS) is object


@pytest.mark.parametrize(
    ('kind', 'scope', 'name'),
    [
        (PartViT, 'passreid', 'PartViT'),
        (PartViT, 'mmpretrain', 'passreid.PartViT'),
        (ImageClassifier, 'mmpretrain', 'ImageClassifier'),
        (PretrainedInit, 'mmpretrain', 'Pretrained'),
        (torch.optim.SGD, 'passreid', 'SGD'),
        (mmcv.transforms.RandomResize, 'passreid', 'RandomResize'),
        # mmpretrain has another class of that name.
        (mmengine.hooks.EMAHook, 'passreid', 'mmengine.EMAHook'),
        (default_collate, 'passreid', 'mmengine.dataset.utils.default_collate'),
        (Unregistered, 'passreid', f'{__name__}.Unregistered'),
        (max, 'passreid', 'builtins.max'),
    ],
)
def test_classes_become_names(kind, scope, name):
    cfg = {'deep': [{'type': kind, 'x': ({'constructor': kind},), 'kind': kind}]}
    registry.name_types(cfg, scope)
    assert cfg == {'deep': [{'type': name, 'x': ({'constructor': name},), 'kind': kind}]}


@pytest.mark.parametrize('value', ['PartViT', None, 3, {'type': 'A'}, partial(print)])
def test_what_has_no_name_stays(value):
    cfg = {'type': value}
    registry.name_types(cfg)
    assert cfg == {'type': value}
