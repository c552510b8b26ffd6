import pytest
import torch

from passreid.models.layers import BNNeck

VARIANTS = ['cat_multi', 'cat_single', 'mean_multi', 'mean_single']


def recorded_neck(recorded, name):
    fusion, _, number = name.partition('_')
    neck = BNNeck(32, 3, fusion, multi_neck=number == 'multi', normalize=True)
    prefix = f'fusion/{name}/sd/bottleneck'
    weights = {}
    for key, value in recorded.items():
        if key.startswith(prefix):
            token, rest = key.removeprefix(prefix).split('.')
            weights[f'norms.{token.removeprefix("_pt") or 0}.{rest}'] = value
    neck.load_state_dict(weights, strict=True)
    return neck


@pytest.mark.parametrize('name', VARIANTS)
def test_recorded_normalised_features(reference, name):
    # These were recorded from cluster contrast, which normalises; reid_head.npz, which does not,
    # is the business of the head.
    recorded = reference('cluster')
    neck = recorded_neck(recorded, name)
    features = neck(recorded['fusion/tokens'])
    torch.testing.assert_close(features, recorded[f'fusion/{name}/train'], atol=2e-5, rtol=0)
    features = neck.eval()(recorded['fusion/tokens'])
    torch.testing.assert_close(features, recorded[f'fusion/{name}/eval'], atol=2e-5, rtol=0)


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


@pytest.mark.parametrize('multi_neck', [True, False])
def test_one_image_has_no_statistics(multi_neck):
    neck = BNNeck(8, multi_neck=multi_neck)
    with pytest.raises(ValueError, match=r'cannot train on one: set train_dataloader\.batch_size'):
        neck(torch.rand(1, 4, 8))
    assert neck(torch.rand(2, 4, 8)).shape == (2, 16)
    assert neck.eval()(torch.rand(1, 4, 8)).shape == (1, 16)
