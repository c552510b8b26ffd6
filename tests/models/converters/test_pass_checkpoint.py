"""Files of the authors, put together from recorded parts, there and back."""

import argparse

import pytest
import torch
from mmpretrain.models import ImageClassifier
from plain_vits import ARCH, below, images, jittered, part_vit, without
from processes import assert_equal

from passreid.models import PASS, ClusterContrast, PartViT, ReIDHead
from passreid.models.converters import from_pass_checkpoint, to_pass_checkpoint

HEADS = ['cat_multi', 'cat_single', 'mean_multi', 'mean_single']


@pytest.fixture
def container(reference):
    """Of pre-training, as their program writes it."""
    steps = reference('train_steps')
    network = without('init/', steps)
    return {
        'student': {f'module.{name}': value for name, value in network.items()},
        'teacher': network | without('final_teacher/', steps),
        'dino_loss': without('final_center/', steps),
    }


@pytest.fixture
def authors(reference):
    """Give a file of fine-tuning or of USL, with a head or neck of one kind."""

    def put_together(kind, name='cat_multi'):
        vit = reference('vit_tiny')
        spare = {'fc.weight': torch.ones(1000, 32), 'fc.bias': torch.ones(1000)}
        if kind == 'supervised':
            weights = below('base.', without('sd/', vit) | spare)
            return weights | without(f'{name}/sd/', reference('reid_head'))
        neck = without(f'fusion/{name}/sd/', reference('cluster'))
        return without('sd/', vit) | spare | neck

    return put_together


def build(kind, name='cat_multi'):
    fusion, _, number = name.partition('_')
    options = dict(fusion=fusion, multi_neck=number == 'multi')
    backbone = PartViT(ARCH, img_size=(64, 32))
    if kind == 'supervised':
        return ImageClassifier(backbone=backbone, head=ReIDHead(32, num_classes=10, **options))
    neck = dict(type='BNNeck', in_channels=32, normalize=True, **options)
    return ClusterContrast(backbone, neck, dict(type='ClusterMemory'))


def test_pre_training_fills_the_whole_model(container):
    model = PASS(
        PartViT(ARCH, img_size=(32, 16), patch_size=8),
        dict(type='PASSNeck', hidden_channels=64, bottleneck_channels=16, out_channels=128),
        dict(type='PASSHead'),
    )
    saved = container | {'epoch': 3, 'optimizer': {}, 'args': argparse.Namespace()}
    model.load_state_dict(from_pass_checkpoint(saved), strict=True)
    loaded = model.state_dict()
    assert torch.equal(model.head.centers[2:3], container['dino_loss']['center_pt2'])
    # That of masked patches is left out.
    loaded['patch_head.centers'] = torch.ones(1)
    assert_equal(to_pass_checkpoint({'state_dict': loaded, 'meta': {}}), container)


def test_one_network_and_a_bare_backbone(container):
    network = container['teacher']
    weights = from_pass_checkpoint(network)
    assert len(weights) == len(network) - sum('weight_g' in key for key in network)
    bare, backbone = (without('backbone.', one) for one in (network, weights))
    assert_equal(from_pass_checkpoint(bare), below('backbone.', backbone))
    masked = backbone | {'mask_token': torch.ones(1)}
    for ours in (from_pass_checkpoint(container), backbone, masked):
        assert_equal(to_pass_checkpoint(ours, 'backbone'), bare)


@pytest.mark.parametrize('name', HEADS)
@pytest.mark.parametrize('kind', ['supervised', 'usl'])
def test_fine_tuning_and_usl_there_and_back(authors, kind, name):
    theirs = authors(kind, name)
    model = build(kind, name)
    content = {'state_dict': below('module.', theirs), 'epoch': 50, 'best_mAP': 0.9}
    model.load_state_dict(from_pass_checkpoint(content, kind), strict=True)
    loaded = model.state_dict()
    owner = 'base.' if kind == 'supervised' else ''
    used = {k: v for k, v in theirs.items() if not k.removeprefix(owner).startswith('fc.')}
    if kind == 'usl':
        used = {'state_dict': below('module.', used)}
    assert_equal(to_pass_checkpoint({'state_dict': loaded}, kind), used)


def test_ics_stem_and_layer_scale():
    model = part_vit(num_parts=3, stem='ics')
    theirs = to_pass_checkpoint(model.state_dict(), 'backbone')
    assert 'patch_embed.conv.1.IN.weight' in theirs and 'part3_pos' in theirs
    assert_equal(without('backbone.', from_pass_checkpoint(theirs)), dict(model.state_dict()))
    model = jittered(part_vit(num_parts=3, layer_scale_init_value=0.5))
    theirs = to_pass_checkpoint(model.state_dict(), 'backbone')
    assert not any('gamma' in name for name in theirs)
    plain = part_vit(num_parts=3)
    plain.load_state_dict(theirs, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(plain(images()), model(images()), atol=1e-5, rtol=1e-5)


class TestRefused:
    @pytest.mark.parametrize(
        ('kind', 'key'),
        [
            ('pretrain', 'head.mlp_body.0.weight'),
            ('supervised', 'gem.p'),
            ('usl', 'bottleneck_1.weight'),
        ],
    )
    def test_unknown_weights_are_named(self, authors, container, kind, key):
        theirs = container['teacher'] if kind == 'pretrain' else authors(kind)
        with pytest.raises(KeyError, match=key):
            from_pass_checkpoint(theirs | {key: torch.ones(1)}, kind)

    def test_prototypes_of_another_length(self, container):
        scaled = {k: 2 * v if 'weight_g' in k else v for k, v in container['teacher'].items()}
        with pytest.raises(ValueError, match='weight_g'):
            from_pass_checkpoint(scaled)

    @pytest.mark.parametrize('convert', [from_pass_checkpoint, to_pass_checkpoint])
    def test_unknown_kind(self, convert):
        with pytest.raises(ValueError, match="'uda'"):
            convert({}, 'uda')

    @pytest.mark.parametrize('kind', ['supervised', 'usl', 'pretrain', 'backbone'])
    def test_another_model(self, kind):
        with pytest.raises(ValueError, match=f"kind='{kind}'.*cls_token"):
            to_pass_checkpoint({'head.weight': torch.ones(1)}, kind)

    def test_all_tokens_as_the_feature(self):
        with pytest.raises(ValueError, match="no fusion='all'"):
            to_pass_checkpoint(build('supervised', 'all_multi').state_dict(), 'supervised')

    @pytest.mark.parametrize(
        ('kind', 'name'),
        [
            ('supervised', 'neck.norms.0.weight'),
            ('pretrain', 'head.classifier.weight'),
            ('backbone', 'backbone.pre_norm.weight'),
            ('backbone', 'backbone.register_tokens'),
        ],
    )
    def test_a_weight_without_place(self, kind, name):
        weights = part_vit(num_parts=3).state_dict()
        own = below('backbone.', weights) | {name: torch.ones(1)}
        if kind == 'pretrain':
            own |= below('teacher.backbone.', weights)
        with pytest.raises(KeyError, match=name.removeprefix('backbone.')):
            to_pass_checkpoint(own, kind)
