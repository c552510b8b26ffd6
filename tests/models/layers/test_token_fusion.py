import pytest
import torch

from passreid.models.layers import fuse_tokens, fused_channels

TOKENS = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [5.0, 0.0]]])


@pytest.mark.parametrize(
    ('fusion', 'expected'), [('cat', [1.0, 2.0, 4.0, 3.0]), ('mean', [2.5, 2.5])]
)
def test_parts_are_averaged_first(fusion, expected):
    fused = fuse_tokens(TOKENS, fusion)
    assert fused.tolist() == [expected]
    assert fused.shape[1] == fused_channels(2, 2, fusion)


@pytest.mark.parametrize('fusion', ['cat', 'mean'])
def test_without_parts(fusion):
    assert fuse_tokens(TOKENS[:, :1], fusion).tolist() == [[1.0, 2.0]]
    assert fused_channels(2, 0, fusion) == 2


def test_unknown_fusion():
    with pytest.raises(ValueError, match="not 'max'"):
        fused_channels(2, 3, 'max')
