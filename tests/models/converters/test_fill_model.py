import pytest
import torch
from foreign_vits import ARCH, dino_container, part_vit, timm_vit
from mmpretrain.models import ImageClassifier, VisionTransformer

from passreid.models import PartViT, ReIDHead
from passreid.models.converters import fill_model

PARTS = {f'part_{kind}.{part}' for kind in ('tokens', 'positions') for part in range(3)}


@pytest.fixture(scope='module')
def plain():
    return timm_vit(num_classes=5).state_dict()


def classifier(**options):
    backbone = PartViT(ARCH, img_size=(64, 32), **options)
    return ImageClassifier(backbone=backbone, head=ReIDHead(32, num_classes=4))


def test_dinov2_in_a_classifier(plain):
    """Everything that a load can do, in one report."""
    weights = timm_vit(size=112, patch=14, num_classes=0, init_values=0.1).state_dict()
    weights |= {'mask_token': torch.zeros(1, 32), 'register_tokens': torch.zeros(1, 4, 32)}
    model = classifier()
    report = fill_model(model, weights, 'dinov2.pth')
    assert report.resized == {
        'backbone.patch_embed.projection.weight': ((32, 3, 14, 14), (32, 3, 16, 16)),
        'backbone.pos_embed': ((1, 64, 32), (1, 8, 32)),
    }
    assert len(report.merged) == 4
    assert report.unused == ('backbone.mask_token', 'backbone.register_tokens')
    parts = {f'backbone.{name}' for name in PARTS}
    fresh = {name for name in model.state_dict() if name.startswith('head.')}
    fresh = {name for name in fresh if not name.endswith('num_batches_tracked')}
    assert report.initialised.keys() == parts | fresh
    assert report.expected == parts
    assert {report.initialised[name] for name in parts} == {'started from [CLS]'}
    assert not parts & set(report.loaded) and not report.clean
    head, taken_for, *rows = report.table().splitlines()
    assert head == '31 of 54 tensors of ImageClassifier loaded from dinov2.pth'
    assert taken_for == '  Recognised a bare backbone.'
    assert [row.partition(':')[0].strip() for row in rows] == [
        'resized                              2',
        'merged into others                   4',
        'missing in the file (initialised)   17',
        'started from [CLS] (initialised)     6',
        'unused of the file                   2',
    ]


def test_mmpretrain_in_a_classifier():
    foreign = ImageClassifier(
        backbone=VisionTransformer(ARCH, img_size=64),
        head=dict(type='mmpretrain.VisionTransformerClsHead', num_classes=5, in_channels=32),
    )
    model = classifier()
    report = fill_model(model, {'state_dict': foreign.state_dict(), 'meta': {}})
    assert torch.equal(model.backbone.layers[1].ln1.weight, foreign.backbone.layers[1].ln1.weight)
    assert report.unused == ('head.layers.head.weight', 'head.layers.head.bias')
    assert report.share == pytest.approx(1, abs=0.02)
    assert report.recognised == ''


def test_own_model_is_filled_whole():
    source, model = classifier(), classifier()
    report = fill_model(model, {'state_dict': source.state_dict()}, 'own.pth')
    assert report.clean and report.share == 1
    assert report.table() == '54 of 54 tensors of ImageClassifier loaded from own.pth'


def test_a_head_without_classifier_takes_no_notice_of_one():
    source = classifier()
    model = ImageClassifier(
        backbone=PartViT(ARCH, img_size=(64, 32)), head=ReIDHead(32, test_feature='after_neck')
    )
    assert fill_model(model, {'state_dict': source.state_dict()}).clean


def test_half_a_backbone(plain):
    half = {name: value for name, value in plain.items() if not name.startswith('blocks.1.')}
    report = fill_model(part_vit(num_parts=3), half)
    missing = {name for name, why in report.initialised.items() if why == 'missing in the file'}
    assert missing == {n for n in part_vit().state_dict() if n.startswith('layers.1.')}
    assert 0.4 < report.share < 0.75


def test_nothing_fits():
    report = fill_model(part_vit(), {'conv.weight': torch.ones(1)})
    assert not report.loaded and not report.has_loaded_parameters
    assert report.unused == ('conv.weight',)


def test_another_width_fits_nowhere():
    arch = dict(ARCH, embed_dims=16, feedforward_channels=64)
    report = fill_model(part_vit(), PartViT(arch, img_size=64, num_parts=0).state_dict())
    assert report.share == 0
    assert report.initialised['ln1.bias'] == 'shape mismatch: file (16,) model (32,)'


def test_a_prefix(plain):
    content = {'momentum.' + name: value for name, value in plain.items()}
    content |= {'base_encoder.' + name: value + 1 for name, value in plain.items()}
    model = part_vit(num_parts=3)
    report = fill_model(model, content, prefix='momentum')
    assert torch.equal(model.cls_token, plain['cls_token'])
    assert report.unused == ('head.weight', 'head.bias')
    with pytest.raises(ValueError, match="prefix='query.'"):
        fill_model(model, content, prefix='query')


def test_the_content_stays_as_it_is(plain):
    content = dino_container(plain)
    names = {key: set(content[key]) for key in ('teacher', 'student')}
    fill_model(part_vit(num_parts=3), content)
    assert {key: set(content[key]) for key in ('teacher', 'student')} == names
