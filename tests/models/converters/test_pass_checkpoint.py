import argparse

import pytest
import torch

from passreid.models import PASS
from passreid.models.converters import from_pass_checkpoint


def tiny_pass():
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)
    return PASS(
        backbone=dict(type='passreid.PartViT', arch=arch, img_size=(32, 16), patch_size=8),
        neck=dict(
            type='passreid.PASSNeck', hidden_channels=64, bottleneck_channels=16, out_channels=128
        ),
        head=dict(type='passreid.PASSHead'),
    )


@pytest.fixture(scope='module')
def network(reference):
    recorded = reference('train_steps')
    return {k.removeprefix('init/'): v for k, v in recorded.items() if k.startswith('init/')}


@pytest.fixture
def container(network):
    centres = {f'center_{name}': torch.randn(1, 128) for name in ('cls', 'pt1', 'pt2', 'pt3')}
    return {
        'student': {f'module.{k}': v for k, v in network.items()},
        'teacher': {k: v + 1 if 'weight_g' not in k else v for k, v in network.items()},
        'optimizer': {},
        'epoch': 100,
        'args': argparse.Namespace(arch='vit_small'),
        'dino_loss': centres,
    }


def test_container_fills_the_whole_model(container):
    weights = from_pass_checkpoint(container)
    model = tiny_pass()
    result = model.load_state_dict(weights, strict=True)
    assert not result.missing_keys and not result.unexpected_keys
    loaded = model.state_dict()
    for ours, theirs in {
        'backbone.part_tokens.2': ('student', 'module.backbone.part_token3'),
        'backbone.layers.1.ffn.layers.1.bias': ('student', 'module.backbone.blocks.1.mlp.fc2.bias'),
        'teacher.backbone.ln1.weight': ('teacher', 'backbone.norm.weight'),
        'teacher.neck.projectors.3.4.weight': ('teacher', 'head.mlp_pt3.4.weight'),
        'neck.prototypes.0.weight': ('student', 'module.head.last_layer_cls.weight_v'),
    }.items():
        which, key = theirs
        assert torch.equal(loaded[ours], container[which][key]), ours
    assert torch.equal(model.head.centres[2:3], container['dino_loss']['center_pt2'])


def test_one_network(network):
    weights = from_pass_checkpoint(network)
    assert {key.split('.')[0] for key in weights} == {'backbone', 'neck'}
    scales = sum('weight_g' in key for key in network)
    assert len(weights) == len(network) - scales


def test_bare_backbone(network):
    bare = {k.removeprefix('backbone.'): v for k, v in network.items() if k.startswith('backbone.')}
    weights = from_pass_checkpoint(bare)
    assert set(weights) == {k for k in tiny_pass().state_dict() if k.startswith('backbone.')}


def test_unknown_weights_are_named(network):
    with pytest.raises(KeyError, match='mlp_body'):
        from_pass_checkpoint({**network, 'head.mlp_body.0.weight': torch.ones(1)})


def test_prototypes_of_another_length_are_refused(network):
    scaled = {k: 2 * v if 'weight_g' in k else v for k, v in network.items()}
    with pytest.raises(ValueError, match='weight_g'):
        from_pass_checkpoint(scaled)


def test_unknown_kind():
    with pytest.raises(ValueError, match="kind='finetune'"):
        from_pass_checkpoint({}, kind='finetune')
