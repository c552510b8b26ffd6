"""Pre-trained weights by ``init_cfg`` of a backbone, as the log tells of them."""

import logging
from dataclasses import replace

import pytest
import torch
from foreign_vits import ARCH, dino_container, timm_vit

from passreid.models import PartViT
from passreid.models.converters import to_pass_checkpoint
from passreid.utils import UnsafeCheckpointError
from passreid.utils.load_report import LoadReport
from passreid.utils.pretrained_report import read_pretrained, report_pretrained

PLAIN = timm_vit(num_classes=5).state_dict()


def build(checkpoint, num_parts=2, **init_cfg):
    torch.manual_seed(0)
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), **init_cfg)
    return PartViT(ARCH, img_size=(64, 32), num_parts=num_parts, init_cfg=init_cfg)


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'passreid.utils.pretrained_report.print_log',
        lambda text, logger, level: lines.append((level, text)),
    )
    return lines


@pytest.fixture
def source():
    model = PartViT(ARCH, img_size=(64, 32), num_parts=2)
    model.init_weights()
    return model


def below(weights, prefix):
    return {f'{prefix}{name}': value for name, value in weights.items()}


@pytest.mark.parametrize(
    ('contain', 'options'),
    [
        (lambda w: {'state_dict': w, 'meta': {}}, {}),
        (lambda w: w, {}),
        (lambda w: {'state_dict': below(w, 'backbone.')}, {}),
        (lambda w: {'state_dict': below(w, 'backbone.')}, dict(prefix='backbone.')),
        (lambda w: {'state_dict': below(w, 'backbone.')}, dict(prefix='backbone')),
        (lambda w: below(w, 'module.backbone.'), {}),
        (lambda w: to_pass_checkpoint(w, 'backbone'), {}),
        (lambda w: below(to_pass_checkpoint(w, 'backbone'), 'module.base.'), {}),
        (lambda w: below(to_pass_checkpoint(w, 'backbone'), 'base.'), dict(prefix='base.')),
    ],
)
def test_all_weights_arrive(source, log, tmp_path, contain, options):
    torch.save(contain(source.state_dict()), tmp_path / 'a.pth')
    loaded = build(tmp_path / 'a.pth', **options)
    loaded.init_weights()
    for key, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    ((level, text),) = log
    number = len(source.state_dict())
    assert text.splitlines()[0] == (
        f'{number} of {number} tensors of PartViT loaded from {tmp_path / "a.pth"}'
    )
    assert level == logging.INFO and 'initialised' not in text


@pytest.mark.parametrize('options', [{}, dict(prefix='teacher.backbone.')])
def test_the_teacher_of_pre_training(source, log, tmp_path, options):
    weights = source.state_dict()
    student = {name: value + 1 for name, value in weights.items()}
    both = below(student, 'backbone.') | below(weights, 'teacher.backbone.')
    torch.save({'state_dict': both | {'neck.x': torch.ones(1)}}, tmp_path / 'epoch_1.pth')
    loaded = build(tmp_path / 'epoch_1.pth', **options)
    loaded.init_weights()
    assert torch.equal(loaded.part_tokens[1], source.part_tokens[1])
    assert log[0][0] == logging.INFO


def test_the_student_by_its_prefix(source, log, tmp_path):
    weights = below(source.state_dict(), 'backbone.')
    both = weights | {f'teacher.{name}': value + 1 for name, value in weights.items()}
    torch.save({'state_dict': both}, tmp_path / 'epoch_1.pth')
    loaded = build(tmp_path / 'epoch_1.pth', prefix='backbone.')
    loaded.init_weights()
    assert torch.equal(loaded.cls_token, source.cls_token)


def test_authors_pre_training(source, log, tmp_path):
    bare = to_pass_checkpoint(source.state_dict(), 'backbone')
    torch.save(dino_container(bare, 'head.mlp_cls.0.weight'), tmp_path / 'checkpoint.pth')
    loaded = build(tmp_path / 'checkpoint.pth')
    loaded.init_weights()
    assert torch.equal(loaded.part_positions[1], source.part_positions[1])
    assert "pre-training checkpoint of the authors' code; its teacher's" in log[0][1]


@pytest.mark.parametrize(
    'contain',
    [
        lambda w: {'model': w},
        lambda w: {'teacher': w},
        dino_container,
        lambda w: {'state_dict': below(w, 'backbone.'), 'meta': {}},
    ],
)
def test_plain_vits_of_others(log, tmp_path, contain):
    torch.save(contain(PLAIN), tmp_path / 'a.pth')
    loaded = build(tmp_path / 'a.pth')
    loaded.init_weights()
    assert torch.equal(loaded.layers[1].ln2.weight, PLAIN['blocks.1.norm2.weight'])
    text = log[0][1]
    assert 'started from [CLS] (initialised)    4: part_tokens.0, part_tokens.1' in text
    assert 'pos_embed (1, 16, 32) -> (1, 8, 32)' in text
    assert '31 of 35 tensors' in text


def test_parts_from_cls_are_no_reason_for_a_warning(log, tmp_path):
    weights = {name: value for name, value in PLAIN.items() if not name.startswith('head.')}
    torch.save(weights, tmp_path / 'a.pth')
    build(tmp_path / 'a.pth').init_weights()
    assert log[0][0] == logging.INFO


def test_what_is_not_in_the_file_is_named_and_drawn_by_the_recipe(source, log, tmp_path):
    weights = source.state_dict()
    del weights['layers.1.attn.qkv.bias'], weights['layers.1.attn.proj.weight']
    torch.save(weights, tmp_path / 'a.pth')
    loaded = build(tmp_path / 'a.pth')
    loaded.init_weights()
    level, text = log[0]
    assert level == logging.WARNING
    assert '2: layers.1.attn.qkv.bias, layers.1.attn.proj.weight' in text
    assert not loaded.layers[1].attn.qkv.bias.any()
    assert loaded.layers[1].attn.proj.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_init_cfg_in_a_list_and_with_others(source, log, tmp_path):
    torch.save(source.state_dict(), tmp_path / 'a.pth')
    init_cfg = [
        dict(type='Constant', layer='LayerNorm', val=7.0),
        dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth')),
    ]
    loaded = PartViT(ARCH, img_size=(64, 32), num_parts=2, init_cfg=init_cfg)
    loaded.init_weights()
    assert loaded.init_cfg == init_cfg
    assert torch.equal(loaded.ln1.weight, source.ln1.weight) and len(log) == 1


class TestFailures:
    def test_weights_of_another_model(self, tmp_path):
        torch.save({'conv.weight': torch.ones(3)}, tmp_path / 'a.pth')
        with pytest.raises(RuntimeError, match=r'No parameter of PartViT(.|\n)*init_cfg\.prefix'):
            build(tmp_path / 'a.pth').init_weights()

    def test_half_a_backbone(self, log, tmp_path):
        half = {name: value for name, value in PLAIN.items() if not name.startswith('blocks.1.')}
        torch.save(half, tmp_path / 'a.pth')
        with pytest.raises(RuntimeError, match=r'Only \d\d\.\d% (.|\n)*init_cfg\.min_share'):
            build(tmp_path / 'a.pth').init_weights()
        build(tmp_path / 'a.pth', min_share=0.4).init_weights()
        assert len(log) == 1

    def test_another_number_of_parts(self, source, tmp_path):
        torch.save(source.state_dict(), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='2 part tokens.*num_parts=3'):
            build(tmp_path / 'a.pth', num_parts=3).init_weights()

    def test_swiglu(self, tmp_path):
        weights = {k.replace('mlp.fc1', 'mlp.w12'): v for k, v in PLAIN.items()}
        torch.save({'teacher': weights}, tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='SwiGLU'):
            build(tmp_path / 'a.pth').init_weights()

    def test_missing_file_says_what_to_do(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'init_cfg=None'):
            build(tmp_path / 'none.pth').init_weights()

    def test_damaged_file(self, source, tmp_path):
        path = tmp_path / 'a.pth'
        torch.save(source.state_dict(), path)
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(RuntimeError, match='damaged'):
            read_pretrained(str(path))

    def test_code(self, tmp_path):
        torch.save({'cls_token': logging.getLogger}, tmp_path / 'a.pth')
        with pytest.raises(UnsafeCheckpointError):
            build(tmp_path / 'a.pth').init_weights()


def test_the_level_tells_whether_something_is_wrong(log):
    report = LoadReport('a.pth', 'Net', ('w',), {}, {}, (), (), 1.0)
    report_pretrained(report, 0.75)
    report_pretrained(replace(report, unused=('x',)), 0.75)
    assert [level for level, _ in log] == [logging.INFO, logging.WARNING]
