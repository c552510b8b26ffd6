import pytest
import torch

from passreid.engine import GroupedOptimWrapperConstructor
from passreid.registry import OPTIM_WRAPPER_CONSTRUCTORS
from passreid.utils import register_all_modules


def build(model, paramwise_cfg):
    register_all_modules()
    constructor = GroupedOptimWrapperConstructor(
        dict(
            type='PASSOptimWrapper',
            optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.04),
        ),
        paramwise_cfg,
    )
    return constructor(model).optimizer.param_groups


def test_two_groups_decayed_and_not():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2))
    decayed, other = build(
        model, dict(bias_decay_mult=0.0, norm_decay_mult=0.0, flat_decay_mult=0.0)
    )
    assert [id(p) for p in decayed['params']] == [id(model[0].weight), id(model[2].weight)]
    assert decayed['weight_decay'] == 0.04
    expected = [model[0].bias, model[1].weight, model[1].bias, model[2].bias]
    assert [id(p) for p in other['params']] == [id(p) for p in expected]
    assert other['weight_decay'] == 0


class Shared(torch.nn.Module):
    """Two layers with one weight, and each its bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.second.weight = self.first.weight


@pytest.mark.parametrize('bypass', [True, False])
def test_shared_parameter_enters_once(bypass, recwarn):
    model = Shared()
    (group,) = build(model, dict(bypass_duplicate=bypass, norm_decay_mult=0.0))
    expected = [model.first.weight, model.first.bias, model.second.bias]
    assert [id(p) for p in group['params']] == [id(p) for p in expected]
    assert not [one for one in recwarn if 'duplicate' in str(one.message)]


def test_shared_parameter_with_two_sets_of_options():
    keys = {'second.weight': dict(lr_mult=2.0)}
    first, _ = groups = build(
        Shared(), dict(bypass_duplicate=True, bias_lr_mult=3.0, custom_keys=keys)
    )
    assert sum(len(group['params']) for group in groups) == 3
    # That of the module that comes first.
    assert (first['lr'], len(first['params'])) == (0.1, 1)
    with pytest.raises(ValueError, match='more than one parameter group'):
        build(Shared(), dict(custom_keys=keys))


def test_options_may_be_lists():
    keys = {'bias': dict(betas=[0.8, 0.9])}
    other, biases = build(Shared(), dict(bypass_duplicate=True, custom_keys=keys))
    assert (len(other['params']), len(biases['params'])) == (1, 2)
    assert biases['betas'] == [0.8, 0.9]


def test_parameters_without_gradient_are_left_out():
    model = torch.nn.ModuleList([torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)])
    model[1].requires_grad_(False)
    groups = build(model, dict(bias_lr_mult=2.0))
    assert sorted(group['lr'] for group in groups) == [0.1, 0.2]
    assert sum(len(group['params']) for group in groups) == 2


def test_is_registered():
    assert (
        OPTIM_WRAPPER_CONSTRUCTORS.get('GroupedOptimWrapperConstructor')
        is GroupedOptimWrapperConstructor
    )
