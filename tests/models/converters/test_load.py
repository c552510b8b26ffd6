"""Loading of files of all kinds, and what the report tells of it."""

import logging
from unittest import mock

import pytest
import torch
from mmpretrain.models import ImageClassifier
from plain_vits import ARCH, below, dino_container, part_vit, timm_vit

from passreid.models import PASS, ClusterContrast, PartViT, ReIDHead
from passreid.models.converters import (
    fill_model,
    load_weights,
    pass_kind,
    to_pass_checkpoint,
    to_vit_checkpoint,
)
from passreid.models.layers import resize_table

PARTS = {f'part_{kind}.{part}' for kind in ('tokens', 'positions') for part in range(3)}
PLAIN = timm_vit(num_classes=5).state_dict()


def classifier(**options):
    backbone = PartViT(ARCH, img_size=(64, 32), **options)
    head = ReIDHead(32, num_classes=4, num_parts=backbone.num_parts)
    return ImageClassifier(backbone=backbone, head=head)


def clusters(**options):
    backbone = PartViT(ARCH, img_size=(64, 32), **options)
    neck = dict(type='BNNeck', in_channels=32, num_parts=backbone.num_parts, normalize=True)
    return ClusterContrast(backbone, neck, dict(type='ClusterMemory'))


def pre_training():
    neck = dict(type='PASSNeck', hidden_channels=8, bottleneck_channels=8, out_channels=8)
    return PASS(PartViT(ARCH, img_size=(64, 32)), neck, dict(type='PASSHead'))


def drawn(model, seed=0):
    """Give each tensor values of its own, so that a wrong one shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator).abs())
    return model


def assert_same(model, other):
    for name, value in other.state_dict().items():
        if 'num_batches' not in name:
            assert torch.equal(model.state_dict()[name], value), name


# All others are in the test of `flatten`.
CONTAINERS = [
    lambda w: w,
    lambda w: {'model': {'state_dict': below('module._orig_mod.', w)}},
    lambda w: {'state_dict': below('net.reid.', w) | {'criterion.centers': torch.ones(2)}},
    lambda w: {'state_dict': below('model.base.', w)},
]


class TestOneWayForAll:
    """Recognition, conversion and report see the same names, whatever is around them."""

    @pytest.mark.parametrize('contain', CONTAINERS)
    @pytest.mark.parametrize(
        ('make', 'convert', 'recognised'),
        [
            (classifier, lambda w: w, ''),
            (clusters, lambda w: w, ''),
            (classifier, lambda w: to_pass_checkpoint(w, 'supervised'), 'fine-tuning'),
            (clusters, lambda w: to_pass_checkpoint(w, 'usl')['state_dict'], 'USL or UDA'),
        ],
        ids=['supervised', 'usl', "authors' supervised", "authors' usl"],
    )
    def test_backbone_neck_and_head(self, contain, make, convert, recognised):
        source, model = drawn(make()), drawn(make(), seed=1)
        report = fill_model(model, contain(convert(source.state_dict())))
        assert_same(model, source)
        assert not report.initialised
        assert not report.unused or report.unused[0].endswith('criterion.centers')
        assert recognised in report.table()

    @pytest.mark.parametrize('contain', CONTAINERS[:3])
    def test_pre_training_of_ours_and_of_the_authors(self, contain):
        source, model = drawn(pre_training()), drawn(pre_training(), seed=1)
        theirs = to_pass_checkpoint(source.state_dict())
        for content in (contain(source.state_dict()), theirs, {'model': theirs}):
            report = fill_model(model, content)
            assert_same(model, source)
            assert not report.initialised and report.unused in ((), ('criterion.centers',))
            drawn(model, seed=1)

    @pytest.mark.parametrize('contain', CONTAINERS[:3])
    def test_the_teacher_of_pre_training_for_others(self, contain):
        source = drawn(pre_training())
        for model in (classifier(), part_vit(num_parts=3, img_size=(64, 32))):
            report = fill_model(model, contain(source.state_dict()))
            assert_same(getattr(model, 'backbone', model), source.teacher['backbone'])
            assert report.share == 1 and not report.unused
            assert "its teacher's backbone is used" in report.table()

    @pytest.mark.parametrize('make', [classifier, clusters])
    def test_transreid_ssl_after_fine_tuning_and_usl(self, make):
        """As the files of PASS, but for the [CLS] row in the positions and the missing parts."""
        source, model = (drawn(make(num_parts=0, stem='ics'), seed) for seed in (0, 1))
        vit = to_vit_checkpoint(source.backbone.state_dict())
        norms = {
            f'bottleneck.{k}': v
            for k, v in (source.neck or source.head.neck).norms[0].state_dict().items()
        }
        if make is classifier:
            scores = {'classifier.weight': source.head.classifier.weight}
            content = below('base.', vit | {'fc.bias': torch.ones(3)}) | norms | scores
        else:
            content = {'state_dict': below('module.', vit | norms), 'epoch': 50}
        report = fill_model(model, content)
        assert_same(model, source)
        assert not report.initialised and report.share == 1

    def test_a_second_last_layer_is_refused(self):
        authors = to_pass_checkpoint(classifier().state_dict(), 'supervised')
        with pytest.raises(ValueError, match='JPM'):
            fill_model(classifier(), authors | {'b1.0.norm1.weight': torch.ones(32)})

    def test_dino_is_told_from_pass(self):
        assert pass_kind(dino_container(PLAIN)) is None
        theirs = to_pass_checkpoint(part_vit(num_parts=3).state_dict(), 'backbone')
        assert pass_kind(dino_container(theirs)) == 'pretrain'


def test_dinov2_in_a_classifier():
    """Everything that a load can do, in one report."""
    weights = timm_vit(size=112, patch=14, num_classes=0, init_values=0.1).state_dict()
    weights |= {'mask_token': torch.zeros(1, 32)}
    model = classifier()
    report = fill_model(model, weights, 'dinov2.pth')
    assert report.resized == {
        'backbone.patch_embed.projection.weight': ((32, 3, 14, 14), (32, 3, 16, 16)),
        'backbone.pos_embed': ((1, 64, 32), (1, 8, 32)),
    }
    expected = resize_table(weights['pos_embed'][:, 1:], (8, 8), (4, 2))
    torch.testing.assert_close(model.backbone.pos_embed.data, expected)
    assert len(report.merged) == 4
    assert not report.unused
    parts = {f'backbone.{name}' for name in PARTS}
    assert {name for name in report.initialised if not name.startswith('head.')} == parts
    assert report.expected == parts
    assert {report.initialised[name] for name in parts} == {'started from [CLS]'}
    assert not parts & set(report.loaded) and not report.clean
    head, *rows = report.table().splitlines()
    assert head == '31 of 54 tensors of ImageClassifier loaded from dinov2.pth'
    assert len(rows) == 7 and '8x8' in rows[1] and '4x2' in rows[1]


@pytest.mark.parametrize('contain', [lambda w: w, lambda w: {'state_dict': below('backbone.', w)}])
def test_plain_vits_for_pre_training_fill_student_and_teacher(contain):
    model = drawn(pre_training())
    report = fill_model(model, contain(PLAIN))
    for vit in (model.backbone, model.teacher['backbone']):
        assert torch.equal(vit.layers[1].ln2.bias, PLAIN['blocks.1.norm2.bias'])
    assert_same(model.teacher['backbone'], model.backbone)
    assert report.share > 0.9


@pytest.mark.parametrize('test_feature', ['before_neck', 'after_neck'])
def test_a_head_without_classifier_takes_no_notice_of_one(test_feature):
    source = classifier()
    model = ImageClassifier(
        backbone=PartViT(ARCH, img_size=(64, 32)), head=ReIDHead(32, test_feature=test_feature)
    )
    assert fill_model(model, {'state_dict': source.state_dict()}).clean


def test_tensors_that_a_model_resizes_count_as_loaded():
    model = torch.nn.Linear(2, 3)
    model._register_load_state_dict_pre_hook(lambda state, *_: state.update(bias=state['bias'][:3]))
    assert fill_model(model, model.state_dict() | {'bias': torch.ones(5)}).clean


def test_every_kind_of_mismatch_is_named():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    weights = {'0.weight': torch.ones(3, 2), '0.bias': torch.ones(5), 'a': torch.ones(1)}
    report = fill_model(model, weights, 'a.pth')
    first, *rows = report.table().splitlines()
    assert first == '1 of 6 tensors of Sequential loaded from a.pth'
    assert [row.split(':', 1)[1].strip() for row in rows] == [
        '1.weight, 1.bias, 1.running_mean, 1.running_var',
        '0.bias file (5,) model (3,)',
        'a',
    ]
    assert '4: 1.weight, and 3 more' in report.table(max_names=1)


def test_a_prefix_chooses():
    content = below('momentum.', PLAIN) | below(
        'base_encoder.', {k: v + 1 for k, v in PLAIN.items()}
    )
    model = part_vit(num_parts=3)
    report = fill_model(model, content, prefix='momentum')
    assert torch.equal(model.cls_token, PLAIN['cls_token'])
    assert report.unused == ('head.weight', 'head.bias')
    with pytest.raises(ValueError, match=r"'base_encoder\.', 'momentum\.'.*prefix"):
        fill_model(model, content)
    with pytest.raises(ValueError, match=r"'other.'.*\['base_encoder', 'momentum'\]"):
        fill_model(model, content, prefix='other')


class TestLoadWeights:
    @pytest.fixture
    def log(self):
        with mock.patch('passreid.models.converters.load.print_log') as log:
            yield log

    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / 'a.pth'

    def test_own_checkpoint(self, path, log):
        source, model = drawn(classifier()), classifier()
        torch.save({'state_dict': source.state_dict(), 'meta': {}}, path)
        report = load_weights(model, path, strict=True)
        assert_same(model, source)
        assert report.clean and report.source == str(path)
        log.assert_called_once_with(report.table(), logger='current', level=logging.INFO)

    def test_plain_vit_with_a_warning(self, path, log):
        torch.save(dino_container(timm_vit(num_classes=0).state_dict()), path)
        report = load_weights(classifier(), path)
        assert log.call_args.kwargs['level'] == logging.WARNING and report.share > 0.99

    @pytest.mark.parametrize(
        ('change', 'error', 'words'),
        [
            (lambda w: {'conv.weight': torch.ones(1)}, RuntimeError, 'No parameter of Image'),
            (
                lambda w: {k: v for k, v in w.items() if 'layers.1.' not in k},
                RuntimeError,
                r'Only \d\d\.\d% of the backbone(.|\n)*init_cfg\.min_share',
            ),
            (lambda w: w | {'head.more': torch.ones(1)}, RuntimeError, r'strict(.|\n)*head\.more'),
        ],
    )
    def test_failures_name_the_file(self, path, change, error, words):
        weights = {k: v for k, v in classifier().state_dict().items() if v.is_floating_point()}
        torch.save(change(weights), path)
        with pytest.raises(error, match=words) as caught:
            load_weights(classifier(), path, strict=True)
        assert 'a.pth' in str(caught.value)


class TestInitCfg:
    """Pre-trained weights by ``init_cfg`` of a backbone."""

    def loaded(self, weights, path, **init_cfg):
        torch.save(weights, path)
        init_cfg = dict(type='Pretrained', checkpoint=str(path), **init_cfg)
        # With another, as a list.
        init_cfg = [dict(type='Constant', layer='LayerNorm', val=7.0), init_cfg]
        model = PartViT(ARCH, img_size=(64, 32), init_cfg=init_cfg)
        model.init_weights()
        assert model.init_cfg == init_cfg
        return model

    def test_student_or_teacher(self, tmp_path):
        source = drawn(pre_training())
        for options, expected in (
            ({}, source.teacher['backbone']),
            (dict(prefix='teacher.backbone.'), source.teacher['backbone']),
            (dict(prefix='backbone'), source.backbone),
        ):
            weights = {'state_dict': source.state_dict()}
            assert_same(self.loaded(weights, tmp_path / 'epoch_1.pth', **options), expected)

    def test_what_is_not_in_the_file_is_drawn_by_the_recipe(self, tmp_path):
        weights = drawn(part_vit(num_parts=3, img_size=(64, 32))).state_dict()
        del weights['layers.1.attn.qkv.bias'], weights['layers.1.attn.proj.weight']
        attention = self.loaded(weights, tmp_path / 'a.pth').layers[1].attn
        assert not attention.qkv.bias.any()
        assert attention.proj.weight.std().item() == pytest.approx(0.02, rel=0.1)

    def test_a_missing_file_says_what_to_do(self):
        init_cfg = dict(type='Pretrained', checkpoint='none.pth')
        with pytest.raises(FileNotFoundError, match=r'none\.pth.*init_cfg=None'):
            PartViT(ARCH, init_cfg=init_cfg).init_weights()

    def test_less_than_enough_when_that_is_wanted(self, tmp_path):
        half = {k: v for k, v in PLAIN.items() if 'blocks.1.' not in k}
        with pytest.raises(RuntimeError, match='Only'):
            self.loaded(half, tmp_path / 'a.pth')
        self.loaded(half, tmp_path / 'a.pth', min_share=0.4)
