import pytest
import torch
from plain_vits import dino_container, images, jittered, part_vit, timm_vit

from passreid.models.converters import from_vit_checkpoint, to_vit_checkpoint


@pytest.fixture(scope='module')
def weights():
    return timm_vit(num_classes=0).state_dict()


@pytest.mark.parametrize(
    ('name', 'advice'),
    [
        ('storage_tokens', 'rotary'),
        ('attn_pool.latent', 'feature'),
        ('patch_embed.backbone.conv.weight', 'convolutional'),
        ('dist_token', 'without distillation'),
        ('sie_embed', 'SIE_CAMERA'),
        ('rope.freqs', 'rotary'),
        ('patch_embed.norm.weight', 'normalisation'),
        ('fc_norm.weight', 'feature'),
        ('blocks.0.mlp.w12.weight', 'SwiGLU'),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'base.'])
def test_what_changes_the_features_is_refused(weights, name, advice, prefix):
    content = {f'{prefix}{k}': v for k, v in (weights | {name: torch.zeros(1, 4, 32)}).items()}
    ours = name.replace('blocks', 'layers')
    with pytest.raises(ValueError) as caught:
        from_vit_checkpoint(content)
    assert ours in str(caught.value) and advice in str(caught.value)


def test_the_stem_of_transreid_ssl():
    model = part_vit(stem='ics')
    theirs = to_vit_checkpoint(model.state_dict())
    stem = {name.rpartition('.')[0] for name in theirs if name.startswith('patch_embed.conv')}
    numbers = ('0', '1.IN', '1.BN', '3', '4.IN', '4.BN', '6', '7')
    assert stem == {f'patch_embed.conv.{number}' for number in numbers}
    found = from_vit_checkpoint(dino_container(theirs))
    own = model.state_dict()
    assert found.keys() == {f'backbone.{name}' for name in own}
    assert all(torch.equal(found[f'backbone.{name}'], own[name]) for name in own)


@pytest.mark.parametrize('content', [{}, {'state_dict': {'conv.weight': torch.ones(1)}}])
def test_no_vit(content):
    with pytest.raises(ValueError, match='No cls_token'):
        from_vit_checkpoint(content)


@pytest.mark.parametrize('scale', [0.0, 0.1])
def test_timm_loads_it_and_gives_the_same_features(scale):
    model = jittered(part_vit(layer_scale_init_value=scale))
    foreign = timm_vit(num_classes=0, init_values=scale or None)
    foreign.load_state_dict(to_vit_checkpoint(model.state_dict()), strict=True)
    with torch.no_grad():
        expected = foreign.forward_features(images())[:, :1]
        torch.testing.assert_close(model(images())[0], expected, atol=1e-5, rtol=1e-5)


def test_parts_have_no_place_in_a_plain_vit():
    with pytest.raises(ValueError, match='num_parts=0'):
        to_vit_checkpoint(part_vit(num_parts=3).state_dict())
