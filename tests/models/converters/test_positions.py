import pytest
import torch
from plain_vits import ARCH

from passreid.models import PartViT
from passreid.models.converters import to_pass_checkpoint, to_vit_checkpoint
from passreid.models.converters.load import fill_model
from passreid.models.converters.positions import split_positions, stated_grid
from passreid.utils.checkpoint_loading import read_checkpoint

# Image sizes of the field, of which several have as many patches as a square.
SIZES = [(288, 128), (256, 64), (384, 96), (192, 64), (128, 48), (256, 128), (384, 128), (144, 64)]


def vit(size, num_parts=0, **options):
    model = PartViT(ARCH, img_size=size, num_parts=num_parts, **options)
    model.init_weights()
    torch.nn.init.normal_(model.cls_position)
    return model


def resized(source, target):
    """What the position table of one model becomes in the other."""
    image = source.pos_embed.detach().unflatten(1, source.patch_resolution).permute(0, 3, 1, 2)
    image = torch.nn.functional.interpolate(image, target.patch_resolution, mode='bicubic')
    return image.permute(0, 2, 3, 1).flatten(1, 2)


@pytest.mark.parametrize('size', SIZES)
def test_our_checkpoints_know_their_grid(size, tmp_path):
    """In ``meta``, or where torch keeps the versions of modules, in files and between models."""
    source, model = vit(size, 2), vit((160, 80), 2)
    meta = {'pos_embed_grid': source.patch_resolution}
    torch.save({'state_dict': source.state_dict()}, tmp_path / 'a.pth')
    height, width = source.patch_resolution
    for content in (
        {'state_dict': dict(source.state_dict()), 'meta': meta},
        read_checkpoint(tmp_path / 'a.pth'),
    ):
        assert stated_grid(content) == (height, width)
        assert f'{height}x{width}' in fill_model(model, content).table()
        torch.testing.assert_close(model.pos_embed.data, resized(source, model))
        model.init_weights()
    model.load_state_dict(source.state_dict())
    torch.testing.assert_close(model.pos_embed.data, resized(source, model))


@pytest.mark.parametrize('size', [*SIZES, (240, 128), (80, 48)])
@pytest.mark.parametrize(
    'convert', [lambda s: to_pass_checkpoint(s, 'backbone'), to_vit_checkpoint]
)
def test_tables_of_others_are_told_or_right_or_refused(size, convert):
    """Never resized from another grid, and no row of a patch taken for [CLS], or the reverse."""
    source = vit(size)
    grid = source.patch_resolution
    weights = dict(convert({'state_dict': source.state_dict(), 'meta': {'pos_embed_grid': grid}}))
    for target in ((160, 80), (288, 128), (192, 192), (112, 112), (256, 64), (144, 144)):
        told, silent = vit(target, pos_embed_grid=grid), vit(target)
        fill_model(told, weights)
        try:
            fill_model(silent, weights)
        except ValueError as error:
            assert 'pos_embed_grid' in str(error)
            assert size not in SIZES or f'{grid[0]}x{grid[1]}' in str(error)
            silent = told
        for model in (told, silent):
            torch.testing.assert_close(model.pos_embed.data, resized(source, model))
            assert torch.equal(model.cls_position, source.cls_position)


def table(rows, patch=16):
    weights = {'pos_embed': torch.arange(float(rows)).view(1, rows, 1)}
    return weights | {'patch_embed.projection.weight': torch.zeros(1, 3, patch, patch)}


@pytest.mark.parametrize(
    ('rows', 'patch', 'registers', 'side'),
    [(1369, 14, 4, 37), (1370, 14, 4, 37), (1374, 14, 4, 37), (1024, 14, 1, 32), (256, 16, 7, 16)],
)
def test_tables_beside_registers(rows, patch, registers, side):
    """With rows for nothing else, for [CLS] or for all: of DINOv2, TIPSv2 and RADIO."""
    weights = table(rows, patch) | {'register_tokens': torch.zeros(1, registers, 1)}
    assert split_positions(weights, own=(16, 8)) == ((side, side), 'the only plausible one')
    before = rows - side * side
    assert weights['pos_embed'].flatten().tolist() == list(range(before, rows))
    assert weights['cls_position'].item() == 0
    own = range(1, before) if before > 1 else [0] * registers
    assert weights['register_tokens'].flatten().tolist() == list(own)


def test_what_decides():
    """49 rows are 7 x 7, or [CLS] and 12 x 4, or what somebody tells."""
    for expected, told, own in (
        ((12, 4), [], (16, 8)),
        ((12, 4), [], (12, 4)),
        ((12, 4), [((12, 4), 'file'), ((7, 7), 'model')], (16, 8)),
        ((7, 7), [((7, 7), 'model')], (12, 4)),
        ((24, 2), [((24, 2), 'file')], (16, 8)),
    ):
        assert split_positions(table(49), told, own)[0] == expected
    with pytest.raises(ValueError, match='18x8.*24x6'):
        split_positions(table(145), own=(18, 8))
    with pytest.raises(ValueError, match=r'49 rows.*\(16, 8\).*pos_embed_grid'):
        split_positions(table(49), [((16, 8), 'model')])
