import pytest
import torch
from mmpretrain.models import VisionTransformer
from plain_vits import ARCH, images, jittered, part_vit, timm_vit

from passreid.models import PartViT
from passreid.models.converters import fit_part_vit


def assert_same_cls(model, weights, expected):
    """Load, and compare the [CLS] that comes out."""
    model.load_state_dict(weights)
    with torch.no_grad():
        (tokens,) = model(images())
    torch.testing.assert_close(tokens[:, 0], expected[:, 0], atol=1e-5, rtol=1e-5)


def features(foreign):
    with torch.no_grad():
        return foreign.forward_features(images())


@pytest.mark.parametrize(
    'options',
    [{}, dict(qkv_bias=False), dict(pre_norm=True), dict(no_embed_class=True)],
    ids=str,
)
def test_timm_gives_the_same_features(options):
    foreign = timm_vit(num_classes=0, **options)
    kept = {k: v for k, v in options.items() if k in ('qkv_bias', 'pre_norm')}
    if 'no_embed_class' in options:
        kept['pos_embed_grid'] = (4, 4)
    assert_same_cls(part_vit(**kept), foreign.state_dict(), features(foreign))


def test_missing_biases_are_zero():
    """Of queries, keys and values, and of the patches of CLIP, which other models draw."""
    foreign = timm_vit(num_classes=0, qkv_bias=False)
    weights = foreign.state_dict()
    with torch.no_grad():
        foreign.patch_embed.proj.bias.zero_()
    del weights['patch_embed.proj.bias']
    model = part_vit()
    torch.nn.init.normal_(model.patch_embed.projection.bias)
    torch.nn.init.normal_(model.layers[0].attn.qkv.bias)
    assert_same_cls(model, weights, features(foreign))
    notes = fit_part_vit(dict(weights), model)
    names = {f'layers.{layer}.attn.qkv.bias' for layer in range(2)}
    assert notes.initialised.keys() == names | {'patch_embed.projection.bias'}


@pytest.mark.parametrize('scale', [0.0, 0.3])
def test_mmpretrain_gives_the_same_features(scale):
    options = dict(out_type='cls_token', layer_scale_init_value=scale)
    foreign = jittered(VisionTransformer(ARCH, img_size=64, **options))
    with torch.no_grad():
        (expected,) = foreign(images())
    assert_same_cls(part_vit(), foreign.state_dict(), expected[:, None])


@pytest.mark.parametrize('own_scale', [0.0, 1e-5])
@pytest.mark.parametrize('scale', [None, 0.5])
def test_layer_scale_is_merged_loaded_or_one(scale, own_scale):
    foreign = timm_vit(num_classes=0, init_values=scale)
    model = part_vit(layer_scale_init_value=own_scale)
    assert_same_cls(model, foreign.state_dict(), features(foreign))
    names = [f'layers.{i}.{name}.weight' for i in (0, 1) for name in ('attn.gamma1', 'ffn.gamma2')]
    notes = fit_part_vit(dict(foreign.state_dict()), model)
    assert notes.merged == (names if scale and not own_scale else [])
    assert list(notes.initialised) == (names if own_scale and not scale else [])


def test_a_plain_model_leaves_parts_alone():
    weights = part_vit(num_parts=3).state_dict()
    result = part_vit(num_parts=0).load_state_dict(weights, strict=False)
    assert not result.missing_keys
    assert len(result.unexpected_keys) == 6
    (_, remark) = sorted(fit_part_vit(weights, part_vit(num_parts=0)).remarks)
    assert 'num_parts=3' in remark


@pytest.mark.parametrize(
    ('found', 'wanted', 'words'),
    [
        (dict(stem='ics'), dict(stem='patch'), "stem='ics'"),
        (dict(pre_norm=True), {}, 'pre_norm=True'),
        ({}, dict(pre_norm=True), 'pre_norm=False'),
        (dict(final_norm=False), {}, 'final_norm=False'),
        (dict(arch=ARCH | dict(num_layers=3)), {}, '3 layers.*2.*arch'),
        (dict(num_parts=3), dict(num_parts=2), '3 part tokens.*num_parts=2'),
        (dict(num_parts=2), dict(num_parts=3), '2 part tokens.*num_parts=3'),
    ],
    ids=str,
)
def test_weights_for_other_settings_are_refused(found, wanted, words):
    """CLIP without the normalisation before its blocks has features with a cosine of two thirds."""
    source, model = (
        PartViT(**{'arch': ARCH, 'img_size': 64, 'num_parts': 0} | options)
        for options in (found, wanted)
    )
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(source.state_dict())
