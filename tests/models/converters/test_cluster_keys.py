import pytest
import torch

from passreid.models import PartViT
from passreid.models.converters import from_pass_checkpoint
from passreid.models.layers import BNNeck

VARIANTS = ['cat_multi', 'cat_single', 'mean_multi', 'mean_single']


def recorded(reference, variant='cat_multi'):
    """Put a model of the authors together from its recorded parts."""
    vit, cluster = reference('vit_tiny'), reference('cluster')
    prefix = f'fusion/{variant}/sd/'
    weights = {k.removeprefix('sd/'): v for k, v in vit.items() if k.startswith('sd/')}
    return weights | {k.removeprefix(prefix): v for k, v in cluster.items() if k.startswith(prefix)}


def part_of(weights, owner):
    prefix = f'{owner}.'
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('contained', [True, False])
def test_the_backbone_is_filled(reference, prefix, contained):
    authors = {f'{prefix}{k}': v for k, v in recorded(reference).items()}
    content = {'state_dict': authors, 'epoch': 50, 'best_mAP': 0.88} if contained else authors
    weights = from_pass_checkpoint(content, 'usl')
    assert {name.split('.')[0] for name in weights} == {'backbone', 'neck'}
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)
    backbone = PartViT(arch=arch, img_size=(64, 32))
    backbone.load_state_dict(part_of(weights, 'backbone'), strict=True)
    loaded = backbone.state_dict()
    for ours, theirs in {
        'part_tokens.2': 'part_token3',
        'cls_position': 'cls_pos',
        'layers.1.ffn.layers.1.bias': 'blocks.1.mlp.fc2.bias',
        'ln1.weight': 'norm.weight',
    }.items():
        assert torch.equal(loaded[ours], authors[prefix + theirs]), ours


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_neck_gives_the_recorded_features(reference, variant):
    weights = part_of(from_pass_checkpoint(recorded(reference, variant), 'usl'), 'neck')
    fusion, _, number = variant.partition('_')
    neck = BNNeck(32, fusion=fusion, multi_neck=number == 'multi', normalize=True)
    neck.load_state_dict(weights, strict=True)
    data = reference('cluster')
    for mode in ('train', 'eval'):
        features = neck.train(mode == 'train')(data['fusion/tokens'])
        torch.testing.assert_close(features, data[f'fusion/{variant}/{mode}'], atol=2e-5, rtol=0)


def test_the_classifier_that_nothing_uses_is_left_out(reference):
    weights = recorded(reference)
    spare = {'fc.weight': torch.ones(1000, 32), 'fc.bias': torch.ones(1000)}
    assert from_pass_checkpoint(weights | spare, 'usl').keys() == (
        from_pass_checkpoint(weights, 'usl').keys()
    )


@pytest.mark.parametrize(
    'key', ['bottleneck_1.weight', 'base.cls_token', 'backbone.cls_token', 'classifier.weight']
)
def test_unknown_weights_are_named(reference, key):
    with pytest.raises(KeyError, match=key):
        from_pass_checkpoint(recorded(reference) | {key: torch.ones(1)}, 'usl')
