from functools import partial

import pytest
import torch
from plain_vits import ARCH, images, part_vit, timm_vit, without
from torch.nn import functional as F

from passreid.models import PartViT
from passreid.models.converters import fill_model
from passreid.models.layers import resize_table

tiny = partial(part_vit, num_parts=3, img_size=(64, 32))


@pytest.fixture(scope='module', params=[16, 8])
def recorded_model(request, reference):
    recorded = reference('vit_tiny')
    prefix = '' if request.param == 16 else 'p8/'
    model = PartViT(ARCH, (64, 32), patch_size=request.param, interpolate_offset=0.1)
    model.load_state_dict(without(f'{prefix}sd/', recorded), strict=True)
    model.eval()
    return model, recorded, prefix


@pytest.mark.parametrize('kind', ['global', 'local'])
@pytest.mark.parametrize('part', [None, 0, 1, 2])
@pytest.mark.parametrize('gradient', [True, False])
def test_tokens_equal_the_recorded_ones(recorded_model, kind, part, gradient):
    model, recorded, prefix = recorded_model
    images = recorded[f'in/{kind}']
    part_ids = None if part is None else torch.full((len(images),), part)
    with torch.set_grad_enabled(gradient):
        (tokens,) = model(images, part_ids)
    expected = recorded[f'{prefix}out/{kind}_part{part}']
    torch.testing.assert_close(tokens.detach(), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize('kind', ['global', 'local'])
def test_interpolated_positions_equal_the_recorded_ones(recorded_model, kind):
    model, recorded, prefix = recorded_model
    grid = [side // model.patch_embed.projection.kernel_size[0] for side in (64, 32)]
    if kind == 'local':
        grid = [side // 2 for side in grid]
    table = resize_table(model.pos_embed, model.patch_resolution, tuple(grid), offset=0.1)
    expected = recorded[f'{prefix}pos/{kind}']
    torch.testing.assert_close(table.detach(), expected, atol=2e-5, rtol=0)


@pytest.fixture
def masked(reference):
    """The recorded ViT with a mask token, through the converter."""
    recorded = without('vit/', reference('ibot'))
    arch = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=64)
    model = PartViT(arch, 32, num_parts=0, patch_size=8, mask_token=True)
    assert fill_model(model, without('sd/', recorded)).clean
    model.eval()
    return model, recorded


def test_masked_tokens_equal_the_recorded_ones(masked):
    model, recorded = masked
    for masks, name in ((recorded['mask'], 'out_masked'), (None, 'out_plain')):
        (tokens,) = model(recorded['in/images'], masks=masks, with_patches=True)
        expected = recorded[name].float()
        torch.testing.assert_close(tokens.detach(), expected, atol=2e-5, rtol=0)
        (cls,) = model(recorded['in/images'], masks=masks)
        torch.testing.assert_close(cls, tokens[:, :1], atol=2e-6, rtol=0)


def test_mask_token_learns_from_masked_patches_alone(masked):
    model, recorded = masked
    images, mask = recorded['in/images'].requires_grad_(), recorded['mask']

    def backward(mask):
        model.zero_grad()
        model(images, masks=mask, with_patches=True)[0].square().sum().backward()
        return model.mask_token.grad

    assert backward(mask).any()
    # A masked patch is not seen, any other is.
    pixels = mask.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, None]
    assert torch.equal(images.grad == 0, pixels.expand_as(images))
    assert not backward(torch.zeros_like(mask)).any()
    with pytest.raises(ValueError, match='mask_token=False'):
        tiny()(images, masks=mask)


@pytest.mark.parametrize('num_registers', [0, 2])
def test_each_sample_gets_the_part_that_it_names(num_registers):
    model = tiny(num_registers=num_registers)
    images = torch.randn(4, 3, 32, 32)
    part_ids = torch.tensor([2, 0, 1, 2])
    (mixed,) = model(images, part_ids)
    for index, part in enumerate(part_ids):
        (single,) = model(images[index : index + 1], part[None])
        torch.testing.assert_close(mixed[index : index + 1], single, atol=1e-5, rtol=0)
    # Of 2x2 patches of 16 pixels, without registers.
    (tokens,) = model(images, with_patches=True)
    assert tokens.shape[1] == 4 + 2 * 2
    torch.testing.assert_close(tokens[:, :4], model(images)[0], atol=1e-5, rtol=0)


def test_without_parts_it_is_the_vit_of_mmpretrain():
    """Its numbers are compared in the test of fit_part_vit."""
    model, images = part_vit(), torch.randn(2, 3, 64, 64)
    assert model(images)[0].shape == (2, 1, 32)
    with pytest.raises(ValueError, match='num_parts=0'):
        model(images, torch.zeros(2, dtype=torch.long))


def test_fresh_weights_follow_the_recipe():
    model = tiny()
    assert not model.cls_position.any()
    for linear in (model.layers[0].attn.qkv, model.layers[1].ffn.layers[1]):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert not linear.bias.any()
    parts = (*model.part_tokens, *model.part_positions)
    tokens = torch.cat([model.cls_token, *parts, tiny(num_registers=4).register_tokens[0, :, None]])
    assert tokens.std().item() == pytest.approx(0.02, rel=0.15)
    assert not torch.equal(*model.part_tokens[:2])
    # Uniform in +-bound, torch's default.
    projection = model.patch_embed.projection.weight
    bound = projection[0].numel() ** -0.5
    assert projection.abs().max() <= bound
    assert projection.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_attention_to_patches_is_that_of_timm():
    """Of the last layer, to the patches alone: registers take part and get none."""
    vit = timm_vit(num_classes=0, reg_tokens=3)
    model = part_vit(num_registers=3)
    model.load_state_dict(vit.state_dict())
    with torch.no_grad():
        x, last = vit.blocks[0](vit._pos_embed(vit.patch_embed(images()))), vit.blocks[1]
        qkv = last.attn.qkv(last.norm1(x)).unflatten(2, (3, 2, 16)).permute(2, 0, 3, 1, 4)
        weights = (qkv[0] @ qkv[1].transpose(2, 3) / 4).softmax(-1)[:, :, :1, 4:]
        expected = (weights / weights.sum(-1, keepdim=True)).mean(1)
        found = model.part_attention(images())
    torch.testing.assert_close(found.flatten(2), expected)


def test_activation_checkpointing_changes_nothing():
    images = torch.randn(2, 3, 64, 32)
    gradients = []
    for with_cp in (False, True):
        model = tiny(with_cp=with_cp, drop_path_rate=0.5)
        model.train()
        torch.manual_seed(3)
        model(images)[0].square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed, atol=1e-6, rtol=1e-5)


class TestImageSize:
    @pytest.fixture
    def warnings(self, log):
        return lambda: [line for line in log().splitlines() if 'pixels' in line]

    @pytest.mark.parametrize('stem', ['patch', 'ics'])
    def test_is_warned_of_once_with_both_sizes(self, stem, warnings):
        for _ in range(2):
            model = tiny(stem=stem)
            model(torch.randn(2, 3, 64, 32))
            model(torch.randn(2, 3, 32, 64))
        (text,) = warnings()
        assert '32x64' in text and '64x32' in text

    @pytest.mark.parametrize('num_parts', [0, 3])
    def test_local_views_are_smaller(self, num_parts, warnings):
        model = tiny(num_parts=num_parts)
        model.train()
        model(torch.randn(2, 3, 32, 16), torch.tensor([0, 2]) if num_parts else None)
        assert not warnings()


def test_parts_start_from_cls_each_its_own():
    plain, model = part_vit(), tiny()
    torch.nn.init.normal_(plain.cls_position)
    model.load_state_dict(plain.state_dict(), strict=True)
    assert torch.equal(model.cls_position, plain.cls_position)
    for parts, source in (
        (model.part_tokens, plain.cls_token),
        (model.part_positions, plain.cls_position),
    ):
        noise = torch.cat([part - source for part in parts])
        assert 0.015 < noise.std() < 0.025
        assert not torch.equal(*noise[:2])


@pytest.mark.parametrize('size', [(384, 128), (160, 80)])
def test_two_to_one_table_is_resized_as_recorded(reference, size):
    recorded = reference('pos_embed')
    arch = dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)
    model = PartViT(arch, img_size=size, interpolate_mode='bilinear')
    model.load_state_dict(model.state_dict() | {'pos_embed': recorded['pos_256x128']})
    expected = recorded['pos_{}x{}'.format(*size)]
    torch.testing.assert_close(model.pos_embed.data, expected, atol=1e-6, rtol=0)


class TestStem:
    def test_ics_has_the_shape_of_the_paper(self):
        model = tiny(stem='ics')
        (tokens,) = model(torch.randn(2, 3, 64, 32))
        assert tokens.shape == (2, 4, 32)
        convolutions = [m for m in model.patch_embed.modules() if isinstance(m, torch.nn.Conv2d)]
        assert [c.kernel_size[0] for c in convolutions] == [7, 3, 3, 8]
        assert [c.stride[0] for c in convolutions] == [2, 1, 1, 8]
        assert [c.bias is None for c in convolutions] == [True, True, True, False]

    def test_first_half_is_normalised_by_instance(self):
        norm, x = tiny(stem='ics').patch_embed.stem[1], torch.randn(4, 64, 5, 3) * 3
        norm.train()
        by_instance, by_batch = F.instance_norm(x), F.batch_norm(x, None, None, training=True)
        expected = torch.cat((by_instance[:, :32], by_batch[:, 32:]), 1)
        torch.testing.assert_close(norm(x), expected)

    def test_unknown_stem_and_odd_patches(self):
        with pytest.raises(ValueError, match='stem'):
            tiny(stem='conv')
        with pytest.raises(ValueError, match='odd'):
            tiny(stem='ics', patch_size=7)


@pytest.mark.parametrize('options', [{}, dict(stem='ics'), dict(num_registers=2)], ids=str)
def test_gradients_have_memory_of_their_own(options):
    """Or what is done to one in place, as by accumulation, is done to another as well."""
    model, images = tiny(**options), torch.rand(2, 3, 64, 32)
    gradients = []
    for times in (1, 2):
        model.zero_grad()
        for _ in range(times):
            model(images)[0].square().sum().backward()
        gradients.append([value.grad.clone() for value in model.parameters()])
        places = {value.grad.data_ptr() for value in model.parameters()}
        assert len(places) == len(gradients[0])
    for once, twice in zip(*gradients, strict=True):
        assert torch.equal(2 * once, twice)


def test_frozen_stages_hold_tokens_and_positions():
    model = PartViT(ARCH, (64, 32), frozen_stages=1, num_registers=2)
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trainable and all(name.startswith(('layers.1', 'ln1')) for name in trainable)


def test_layer_depth_of_tokens():
    model = tiny()
    first = 'cls_token', 'cls_position', 'part_tokens.1', 'part_positions.0', 'pos_embed'
    for name in (*first, 'register_tokens', 'mask_token', 'pre_norm.bias'):
        assert model.get_layer_depth(f'backbone.{name}', 'backbone.') == (0, 4)
    assert model.get_layer_depth('backbone.layers.1.ln1.weight', 'backbone.') == (2, 4)
    assert model.get_layer_depth('head.centers', 'backbone.') == (3, 4)


def test_with_a_file_layers_alone_are_drawn(tmp_path):
    torch.save({'state_dict': tiny().state_dict()}, tmp_path / 'weights.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    model = PartViT(ARCH, (64, 32), patch_size=16, init_cfg=init_cfg)
    other = PartViT(ARCH, (64, 32), patch_size=16)
    before = torch.get_rng_state()
    for layer in other.layers:
        layer.init_weights()
    after_layers = torch.get_rng_state()
    torch.set_rng_state(before)
    model.init_weights()
    assert torch.equal(torch.get_rng_state(), after_layers)
