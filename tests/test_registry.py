"""Registries resolve types of passreid, mmpretrain and mmengine, and give names to classes."""

import inspect

import mmengine
import mmpretrain.registry
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.model import PretrainedInit
from mmengine.registry import DefaultScope, Registry

from passreid import registry
from passreid.models import PartViT
from passreid.utils import register_all_modules

NODES = {name: node for name, node in inspect.getmembers(registry) if isinstance(node, Registry)}


@pytest.fixture(autouse=True)
def default_scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('passreid'):
        yield


def test_nodes_are_children_of_their_namesakes_in_mmpretrain():
    nodes = inspect.getmembers(mmpretrain.registry, lambda item: isinstance(item, Registry))
    names = {name for name, node in nodes if node.scope == 'mmpretrain'}
    assert names - set(NODES) == {'TOKENIZER'}
    for name, node in NODES.items():
        assert node.scope == 'passreid'
        assert node.parent is getattr(mmpretrain.registry, name)


@pytest.mark.parametrize(
    ('node', 'kind', 'package'),
    [
        ('DATASETS', 'Market1501', 'passreid'),
        ('HOOKS', 'EMAHook', 'mmpretrain'),
        ('HOOKS', 'CheckpointHook', 'mmengine'),
        ('OPTIMIZERS', 'AdamW', 'torch'),
    ],
)
def test_unprefixed_types_resolve(node, kind, package):
    # The Runner looks types up from mmengine's root nodes.
    with getattr(mmengine.registry, node).switch_scope_and_registry(None) as registry_in_use:
        found = registry_in_use.get(kind)
    assert found.__module__.split('.')[0] == package
    assert NODES[node].get(kind) is found


@pytest.mark.parametrize(
    ('kind', 'scope', 'name'),
    [
        (PartViT, 'passreid', 'PartViT'),
        (PartViT, 'mmpretrain', 'passreid.PartViT'),
        (PretrainedInit, 'mmpretrain', 'Pretrained'),
        (torch.optim.SGD, 'passreid', 'SGD'),
        # mmpretrain has another class of that name.
        (mmengine.hooks.EMAHook, 'passreid', 'mmengine.EMAHook'),
        (default_collate, 'passreid', 'mmengine.dataset.utils.default_collate'),
        ('PartViT', 'passreid', 'PartViT'),
    ],
)
def test_classes_become_names(kind, scope, name):
    cfg = {'deep': [{'type': kind, 'x': ({'constructor': kind},), 'kind': kind}]}
    registry.name_types(cfg, scope)
    assert cfg == {'deep': [{'type': name, 'x': ({'constructor': name},), 'kind': kind}]}
