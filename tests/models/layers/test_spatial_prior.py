import pytest
import torch

from passreid.models import PartViT
from passreid.models.layers.spatial_prior import sine_cosine_table

ARCH = dict(embed_dims=64, num_layers=2, num_heads=2, feedforward_channels=128)


def heights(spatial_prior):
    """Where the tokens look before any training, on pictures of noise."""
    torch.manual_seed(0)
    model = PartViT(ARCH, (64, 32), patch_size=8, linear_std=0.1, spatial_prior=spatial_prior)
    model.init_weights()
    model.eval()
    with torch.no_grad():
        rows = model.part_attention(torch.randn(8, 3, 64, 32)).sum(-1).mean(0)
    return rows @ ((torch.arange(8) + 0.5) / 8)


def test_parts_begin_in_the_order_of_the_body():
    top, middle, bottom = heights(2.0)[1:]
    assert top + 0.1 < middle < bottom - 0.1
    plain = heights(None)[1:]
    assert plain.max() - plain.min() < 0.05


def test_table_tells_rows_and_columns_apart():
    table = sine_cosine_table(8, 4, 32)
    assert table.shape == (8, 4, 32)
    assert table.abs().max() <= 1
    rows, columns = table.split(16, dim=2)
    assert torch.equal(rows[:, 0], rows[:, 3])
    assert torch.equal(columns[0], columns[7])
    similarity = torch.cosine_similarity(rows[0, 0], rows[:, 0], dim=1)
    assert similarity[0] == pytest.approx(1)
    assert similarity[1:].max() < 0.5
