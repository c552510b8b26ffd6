"""Each ViT with a [CLS] that timm names gives the same features, or is refused."""

from unittest import mock

import pytest
import timm
import torch
from mmengine.registry import DefaultScope
from plain_vits import ARCH, images, jittered, part_vit, timm_vit
from torch.nn import Identity

from passreid.models.converters import fill_model, to_vit_checkpoint
from passreid.utils import register_all_modules
from passreid.utils.checkpoint_loading import read_checkpoint

NAMES = sorted(timm.list_models(module='vision_transformer') + timm.list_models(module='deit'))
TINY = dict(img_size=64, patch_size=16, embed_dim=32, depth=2, num_heads=2)
REASONS = {'a mean for a feature', 'a distillation token', 'other blocks'}


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('passreid'):
        yield


def named_vit(name):
    """Return timm's model of a name, tiny and drawn at random, and what is at its address."""
    vit = jittered(timm.create_model(name, num_classes=0, **TINY))
    with mock.patch('timm.create_model', return_value=vit):
        return vit, read_checkpoint(f'timm://{name}')


def options(vit):
    """Return what docs/weights.md says that such a model needs."""
    block = vit.blocks[0]
    # Of some there is no such part: they are refused.
    act, hidden = (getattr(getattr(block, 'mlp', None), name, None) for name in ('act', 'fc2'))
    quick = dict(act_cfg=dict(type='QuickGELU')) if 'Quick' in type(act).__name__ else {}
    return dict(
        arch=ARCH | dict(feedforward_channels=getattr(hidden, 'in_features', 64)),
        num_registers=vit.num_reg_tokens,
        pre_norm=not isinstance(vit.norm_pre, Identity),
        final_norm=not isinstance(vit.norm, Identity),
        norm_cfg=dict(type='LN', eps=getattr(getattr(block, 'norm1', None), 'eps', 1e-6)),
        layer_cfgs=quick,
        # Such a small grid has to be told.
        pos_embed_grid=(4, 4),
    )


def same_cls(model, vit):
    with torch.no_grad():
        own, theirs = model(images())[0][:, 0], vit.forward_features(images())[:, 0]
    return (own - theirs).abs().max() < 1e-5 and own.std() > 0.1


def test_all_names():
    same, refused = [], []
    for name in NAMES:
        vit, weights = named_vit(name)
        if not vit.has_class_token:
            continue
        model = part_vit(**options(vit))
        try:
            report = fill_model(model, weights)
        except ValueError as error:
            refused += [reason for reason in REASONS if reason in str(error)]
        else:
            assert report.share > 0.995 and report.clean, name
            assert same_cls(model, vit), name
            same.append(name)
    assert set(refused) == REASONS
    # Most, and not of one kind.
    assert len(same) > 4 * len(refused) and KINDS.keys() <= set(same)


KINDS = {
    'vit_base_patch16_clip_quickgelu_224': 'pre_norm=True',
    'vit_small_patch14_reg4_dinov2': 'num_registers=4',
    'vit_base_patch14_reg1_tipsv2': 'num_registers=1',
    'vit_base_patch16_radio_v3': 'final_norm=False',
}


@pytest.mark.parametrize('name', KINDS)
def test_an_argument_that_is_not_set_is_named(name):
    with pytest.raises(ValueError, match=KINDS[name]):
        fill_model(part_vit(), named_vit(name)[1])


@pytest.mark.parametrize('name', KINDS)
def test_parts_are_added(name):
    """They are all that the file has not, and registers are not returned."""
    vit, weights = named_vit(name)
    model = part_vit(num_parts=3, **options(vit))
    report = fill_model(model, weights)
    new = {name for name in report.initialised if name != 'cls_position'}
    assert new == {f'part_{kind}.{part}' for kind in ('tokens', 'positions') for part in range(3)}
    total = sum(value.numel() for value in model.parameters())
    assert report.share == pytest.approx(1 - 32 * len(report.initialised) / total)
    assert model(images())[0].shape == (2, 4, 32)


def test_without_registers_of_its_own():
    with pytest.raises(ValueError, match='num_registers=0'):
        fill_model(part_vit(num_registers=4), timm_vit(num_classes=0).state_dict())


@pytest.mark.parametrize('embed', ['all', 'patches', 'dinov2'])
def test_positions_beside_registers(embed):
    """Of timm they have positions or, as DINOv2, none, whose [CLS] has one; as in its files."""
    registers = dict(num_classes=0, reg_tokens=4)
    vit = timm_vit(224, 14, init_values=0.5, no_embed_class=embed != 'all', **registers)
    weights = vit.state_dict()
    if embed == 'dinov2':
        row = torch.randn(1, 1, 32)
        weights['register_tokens'] = weights.pop('reg_token')
        weights['cls_token'] = weights['cls_token'] - row
        weights['pos_embed'] = torch.cat([row, weights['pos_embed']], 1)
        weights['mask_token'] = torch.ones(1, 32)
    model = part_vit(img_size=224, patch_size=14, num_registers=4)
    assert fill_model(model, weights).clean
    with torch.no_grad():
        pictures = images(224)
        own, theirs = model(pictures)[0][:, 0], vit.forward_features(pictures)[:, 0]
    torch.testing.assert_close(own, theirs, atol=1e-5, rtol=1e-5)
    # And back to timm.
    other = timm_vit(224, 14, seed=1, no_embed_class=True, **registers)
    other.load_state_dict(to_vit_checkpoint(model.state_dict()), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(other.forward_features(pictures)[:, 0], theirs)


@pytest.mark.parametrize(
    'name', ['vit_small_patch16_rope_ape_224', 'vit_pe_spatial_tiny_patch16_512']
)
def test_rotary_positions_that_weights_do_not_show(name):
    with pytest.raises(ValueError, match='rotary'):
        fill_model(part_vit(), named_vit(name)[1])


def test_rotary_positions_in_the_place_of_a_table():
    for name in ('vit_small_patch16_dinov3', 'vit_small_patch16_rope_224'):
        weights = jittered(timm.create_model(name, num_classes=0, **TINY)).state_dict()
        with pytest.raises(ValueError, match='no table of positions'):
            fill_model(part_vit(), weights)
