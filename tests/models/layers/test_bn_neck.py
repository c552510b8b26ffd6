import pytest
import torch

from passreid.models.layers import BNNeck, fuse_tokens

TOKENS = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [5.0, 0.0]]])


@pytest.mark.parametrize(
    ('fusion', 'multi_neck', 'widths'),
    [('cat', True, [8] * 4), ('cat', False, [16]), ('mean', True, [8] * 4), ('mean', False, [8])],
)
def test_normalisations(fusion, multi_neck, widths):
    neck = BNNeck(8, 3, fusion, multi_neck)
    assert [norm.num_features for norm in neck.norms] == widths
    tokens = torch.randn(64, 4, 8) * 3 + 1
    features = neck(tokens)
    assert features.shape == (64, neck.out_channels) == neck.fuse(tokens).shape
    torch.testing.assert_close(features.mean(0), torch.zeros(neck.out_channels), atol=1e-5, rtol=0)


def test_biases_are_frozen():
    neck = BNNeck(8)
    neck(torch.randn(4, 4, 8)).square().sum().backward()
    for norm in neck.norms:
        assert norm.bias.grad is None and norm.weight.grad is not None


@pytest.mark.parametrize(
    ('fusion', 'expected'), [('cat', [1.0, 2.0, 4.0, 3.0]), ('mean', [2.5, 2.5])]
)
def test_parts_are_averaged_first(fusion, expected):
    assert fuse_tokens(TOKENS, fusion).tolist() == [expected]
    assert BNNeck(2, 2, fusion).out_channels == len(expected)


@pytest.mark.parametrize('fusion', ['cat', 'mean'])
def test_without_parts(fusion):
    assert fuse_tokens(TOKENS[:, :1], fusion).tolist() == [[1.0, 2.0]]
    assert BNNeck(2, 0, fusion).out_channels == 2


def test_unknown_fusion():
    with pytest.raises(ValueError, match="not 'max'"):
        BNNeck(2, 3, 'max')
