import pytest
import torch
from plain_vits import without
from torch.nn import functional as F

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


def test_patches_share_the_recorded_head_with_cls(reference):
    recorded = without('head_shared/', reference('ibot'))
    weights = without('sd/', recorded)
    neck = PASSNeck(16, 0, hidden_channels=32, bottleneck_channels=8, out_channels=24)
    neck.projectors[0].load_state_dict(without('mlp.', weights))
    prototypes = F.normalize(weights['last_layer.weight_v'], dim=1)
    tokens = recorded['in/tokens']
    with torch.no_grad():
        of_cls, of_patches = neck([tokens[:, 0]])[0], neck.embed_patches(tokens[:, 1:])
    for embeddings, name in ((of_cls, 'out_cls'), (of_patches, 'out_patch')):
        logits = (embeddings @ prototypes.T).double()
        torch.testing.assert_close(logits, recorded[name], atol=2e-5, rtol=0)
