import pytest
import torch
from mmpretrain.models import ImageClassifier

from passreid.models import PartViT, ReIDHead
from passreid.models.converters import from_pass_checkpoint


@pytest.fixture
def authors(reference):
    """Give a fine-tuned model of the authors, put together from its recorded parts."""
    vit, head = reference('vit_tiny'), reference('reid_head')
    weights = {f'base.{k.removeprefix("sd/")}': v for k, v in vit.items() if k.startswith('sd/')}
    prefix = 'cat_multi/sd/'
    weights |= {k.removeprefix(prefix): v for k, v in head.items() if k.startswith(prefix)}
    return weights | {'base.fc.weight': torch.ones(1000, 32), 'base.fc.bias': torch.ones(1000)}


@pytest.fixture
def model():
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)
    return ImageClassifier(
        backbone=PartViT(arch=arch, img_size=(64, 32)), head=ReIDHead(32, num_classes=10)
    )


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_the_whole_model_is_filled(authors, model, prefix):
    weights = from_pass_checkpoint({f'{prefix}{k}': v for k, v in authors.items()}, 'supervised')
    model.load_state_dict(weights, strict=True)
    loaded = model.state_dict()
    for ours, theirs in {
        'backbone.part_tokens.2': 'base.part_token3',
        'backbone.layers.1.ffn.layers.1.bias': 'base.blocks.1.mlp.fc2.bias',
        'head.neck.norms.0.running_var': 'bottleneck.running_var',
        'head.neck.norms.3.weight': 'bottleneck_3.weight',
        'head.classifier.weight': 'classifier.weight',
    }.items():
        assert torch.equal(loaded[ours], authors[theirs]), ours


@pytest.mark.parametrize('name', ['cat_single', 'mean_multi', 'mean_single'])
def test_every_head(reference, name):
    prefix = f'{name}/sd/'
    recorded = reference('reid_head')
    weights = {k.removeprefix(prefix): v for k, v in recorded.items() if k.startswith(prefix)}
    fusion, _, number = name.partition('_')
    head = ReIDHead(32, num_classes=10, fusion=fusion, multi_neck=number == 'multi')
    converted = from_pass_checkpoint(weights, 'supervised')
    head.load_state_dict({k.removeprefix('head.'): v for k, v in converted.items()}, strict=True)


@pytest.mark.parametrize('key', ['bottleneck_pt1.weight', 'classifier.bias', 'gem.p'])
def test_unknown_weights_are_named(authors, key):
    with pytest.raises(KeyError, match=key):
        from_pass_checkpoint({**authors, key: torch.ones(1)}, 'supervised')
