import pytest
import torch

from passreid.models.layers import BNNeck, fuse_tokens

TOKENS = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [5.0, 0.0]]])


@pytest.mark.parametrize(
    ('fusion', 'num_parts', 'expected'),
    [
        ('cat', 2, [1.0, 2.0, 4.0, 3.0]),
        ('mean', 2, [2.5, 2.5]),
        ('cat', 0, [1.0, 2.0]),
        ('mean', 0, [1.0, 2.0]),
    ],
)
def test_parts_are_averaged_first(fusion, num_parts, expected):
    """The normalisations are compared with recorded numbers in the test of ReIDHead."""
    assert fuse_tokens(TOKENS[:, : 1 + num_parts], fusion).tolist() == [expected]
    assert BNNeck(2, num_parts, fusion).out_channels == len(expected)
