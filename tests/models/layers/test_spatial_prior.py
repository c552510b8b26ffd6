import torch

from passreid.models import PartViT

ARCH = dict(embed_dims=64, num_layers=2, num_heads=2, feedforward_channels=128)


def heights(spatial_prior):
    """Where the tokens look before any training, on pictures of noise."""
    torch.manual_seed(0)
    model = PartViT(ARCH, (64, 32), patch_size=8, linear_std=0.1, spatial_prior=spatial_prior)
    model.init_weights()
    model.eval()
    with torch.no_grad():
        maps = model.part_attention(torch.randn(8, 3, 64, 32))
    torch.testing.assert_close(maps.sum((2, 3)), torch.ones(8, 4))
    rows = maps.sum(-1).mean(0)
    return rows @ ((torch.arange(8) + 0.5) / 8)


def test_parts_begin_in_the_order_of_the_body():
    top, middle, bottom = heights(2.0)[1:]
    assert top + 0.1 < middle < bottom - 0.1
    plain = heights(None)[1:]
    assert plain.max() - plain.min() < 0.05
