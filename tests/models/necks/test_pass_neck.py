import pytest
import torch

from passreid.models import PASSNeck


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_embeddings_are_of_unit_length_under_autocast(dtype):
    """Not to the rounding of the type; what comes out of a projector as zeros stays zeros."""
    neck = PASSNeck(8, num_parts=1, hidden_channels=12, bottleneck_channels=6, out_channels=5)
    neck.init_weights()
    with torch.autocast('cpu', dtype):
        drawn, zeros = neck([torch.randn(4, 8), torch.zeros(4, 8)])
    torch.testing.assert_close(drawn.norm(dim=1), torch.ones(4))
    assert torch.equal(zeros, torch.zeros(4, 6))
