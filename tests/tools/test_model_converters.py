"""The programs in tools/model_converters."""

import pytest
import torch
from mmpretrain.models import ImageClassifier
from plain_vits import ARCH, dino_container, part_vit, timm_vit

from passreid.models import PartViT, ReIDHead
from passreid.models.converters import load_weights, to_pass_checkpoint
from passreid.version import __version__

CONFIG = f"""
default_scope = 'passreid'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='PartViT', arch={ARCH!r}, img_size=(64, 32)),
    head=dict(type='ReIDHead', in_channels=32),
    data_preprocessor=dict(type='ReIDDataPreprocessor'),
)
"""


@pytest.fixture
def convert(run):
    return lambda name, *arguments: run(f'model_converters/{name}', *arguments)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'model.py'
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope='module')
def tuned():
    torch.manual_seed(0)
    model = ImageClassifier(
        backbone=PartViT(ARCH, img_size=(64, 32)), head=ReIDHead(32, num_classes=4)
    )
    model.init_weights()
    return model.state_dict()


def saved(content, path):
    torch.save(content, path)
    return path


def read(path):
    return torch.load(path, weights_only=True)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_authors_files(convert, config, tuned, tmp_path):
    theirs = saved(to_pass_checkpoint(tuned, 'supervised'), tmp_path / 'transformer_120.pth')
    out = convert('pass_to_passreid', theirs, tmp_path / 'a.pth', '--config', config)
    content = read(tmp_path / 'a.pth')
    assert_equal(content['state_dict'], tuned)
    assert content['meta'] == {
        'converted_from': 'transformer_120.pth',
        'kind': 'supervised',
        'passreid_version': __version__,
    }
    # The model of the config has no classifier, and no use for one.
    assert f'53 of 53 tensors of ImageClassifier loaded from {theirs}\n' in out
    assert f'{tmp_path / "a.pth"}: supervised, {len(tuned)} tensors' in out


def test_there_and_back(convert, tuned, tmp_path):
    ours = saved({'state_dict': tuned, 'meta': {}}, tmp_path / 'epoch_1.pth')
    for kind in ('supervised', 'backbone'):
        convert('passreid_to_pass', ours, tmp_path / f'{kind}.pth', '--kind', kind)
        content = read(tmp_path / f'{kind}.pth')
        assert_equal(content, to_pass_checkpoint(tuned, kind))
        assert content._metadata['']['converted_from'] == 'epoch_1.pth'
    convert('pass_to_passreid', tmp_path / 'supervised.pth', tmp_path / 'again.pth')
    assert_equal(read(tmp_path / 'again.pth')['state_dict'], tuned)


def test_a_container_gets_meta_of_its_own(convert, tmp_path):
    backbone = {f'backbone.{k}': v for k, v in part_vit(num_parts=3).state_dict().items()}
    ours = saved(backbone | {'neck.norms.0.weight': torch.ones(32)}, tmp_path / 'usl.pth')
    convert('passreid_to_pass', ours, tmp_path / 'model_best.pth.tar', '--kind', 'usl')
    content = read(tmp_path / 'model_best.pth.tar')
    assert set(content) == {'state_dict', 'meta'} and content['meta']['kind'] == 'usl'
    assert torch.equal(content['state_dict']['module.bottleneck.weight'], torch.ones(32))


def test_the_grid_goes_along(convert, tmp_path):
    """As many positions as a square has; a state_dict of ours tells their grid."""
    source = part_vit(num_parts=3, img_size=(256, 64))
    convert(
        'passreid_to_pass',
        saved({'state_dict': source.state_dict()}, tmp_path / 'ours.pth'),
        *(tmp_path / 'bare.pth', '--kind', 'backbone'),
    )
    convert('pass_to_passreid', tmp_path / 'bare.pth', tmp_path / 'again.pth')
    for name in ('bare', 'again'):
        report = load_weights(part_vit(num_parts=3, img_size=(64, 32)), tmp_path / f'{name}.pth')
        assert 'Positions: 16x4' in report.table()


def test_bare_weights_load_as_a_state_dict(convert, tmp_path):
    plain = {f'backbone.{k}': v for k, v in part_vit().state_dict().items()}
    convert('passreid_to_timm', saved(plain, tmp_path / 'a.pth'), tmp_path / 'timm.pth')
    timm_vit(num_classes=0).load_state_dict(read(tmp_path / 'timm.pth'), strict=True)


def test_plain_vits(convert, config, tmp_path):
    weights = timm_vit(size=112, patch=14, num_classes=0, init_values=0.1).state_dict()
    weights['mask_token'] = torch.zeros(1, 32)
    dino = saved(dino_container(weights), tmp_path / 'dinov2.pth')
    out = convert('vit_to_passreid', dino, tmp_path / 'a.pth', '--config', config)
    assert 'Left out 1 beside the ViT: mask_token' in out
    assert 'backbone.pos_embed (1, 64, 32) -> (1, 8, 32)' in out
    found = read(tmp_path / 'a.pth')['state_dict']
    assert len(found) == len(weights)
    assert torch.equal(found['backbone.cls_token'], weights['cls_token'])
    # As trained; a model fits them to its size.
    assert found['backbone.pos_embed'].shape == (1, 64, 32)
    assert torch.equal(found['backbone.layers.0.attn.gamma1.weight'], weights['blocks.0.ls1.gamma'])


def test_prefix_and_grid(convert, tmp_path):
    weights = timm_vit(size=(48, 16), num_classes=0, no_embed_class=True).state_dict()
    both = {f'momentum.{k}': v for k, v in weights.items()}
    both |= {f'base.{k}': v + 1 for k, v in weights.items()}
    source = saved(both, tmp_path / 'moco.pth')
    convert('vit_to_passreid', source, tmp_path / 'a.pth', '--prefix', 'momentum', '--grid', 3, 1)
    found = read(tmp_path / 'a.pth')['state_dict']
    assert torch.equal(found['backbone.pos_embed'], weights['pos_embed'])


def test_what_cannot_be_converted(convert, config, tuned, tmp_path):
    weights = timm_vit(num_classes=0).state_dict()
    theirs = saved(weights, tmp_path / 'timm.pth')
    with pytest.raises(ValueError, match=r'timm\.pth is no checkpoint of the authors'):
        convert('pass_to_passreid', theirs, tmp_path / 'b.pth')
    narrow = {k: v[:16] if v.dim() == 1 else v for k, v in weights.items()}
    narrow = saved({k: v[..., :16] for k, v in narrow.items()}, tmp_path / 'narrow.pth')
    with pytest.raises(RuntimeError, match='Only 48.6% of the backbone'):
        convert('vit_to_passreid', narrow, tmp_path / 'b.pth', '--config', config)
    name = 'backbone.layers.1.attn.qkv.bias'
    bias = torch.full_like(tuned[name], torch.nan)
    diverged = saved({'state_dict': tuned | {name: bias}}, tmp_path / 'diverged.pth')
    with pytest.raises(ValueError, match=r'diverged\.pth.*not finite.* blocks\.1\.attn\.qkv\.bias'):
        convert('passreid_to_pass', diverged, tmp_path / 'b.pth', '--kind', 'backbone')
    (tmp_path / 'link.pth').symlink_to(theirs)
    with pytest.raises(ValueError, match='another file than SRC'):
        convert('passreid_to_timm', theirs, tmp_path / 'link.pth')
    assert not (tmp_path / 'b.pth').exists()
