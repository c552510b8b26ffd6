import pytest
import torch

from passreid.models import PartViT

ARCH = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)


def build(checkpoint, num_parts=2, **init_cfg):
    return PartViT(
        ARCH,
        img_size=(16, 8),
        patch_size=8,
        num_parts=num_parts,
        init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint), **init_cfg),
    )


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'passreid.utils.pretrained_report.print_log', lambda text, **options: lines.append(text)
    )
    return lines


@pytest.fixture
def source(tmp_path):
    model = PartViT(ARCH, img_size=(16, 8), patch_size=8, num_parts=2)
    model.init_weights()
    weights = {f'teacher.backbone.{name}': value for name, value in model.state_dict().items()}
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'bare.pth')
    torch.save({'state_dict': weights}, tmp_path / 'whole.pth')
    return model, tmp_path


@pytest.mark.parametrize(
    ('name', 'options'), [('bare.pth', {}), ('whole.pth', dict(prefix='teacher.backbone.'))]
)
def test_all_weights_arrive(source, log, name, options):
    model, folder = source
    loaded = build(folder / name, **options)
    loaded.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key
    out = log[-1]
    assert f'{len(model.state_dict())} of {len(model.state_dict())} tensors of PartViT' in out
    assert 'NOT loaded' not in out


def test_weights_of_another_model_are_an_error(source):
    with pytest.raises(RuntimeError, match='Nothing in .*whole.pth fits PartViT'):
        build(source[1] / 'whole.pth').init_weights()


def test_what_is_not_in_the_file_is_named(source, tmp_path, log):
    weights = source[0].state_dict()
    del weights['ln1.weight']
    torch.save(weights, tmp_path / 'part.pth')
    build(tmp_path / 'part.pth').init_weights()
    assert 'NOT loaded: ln1.weight' in log[-1]


def test_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'init_cfg=None'):
        build(tmp_path / 'none.pth').init_weights()
