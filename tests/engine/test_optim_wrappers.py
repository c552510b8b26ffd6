import copy

import pytest
import torch

from passreid.engine import AutoAmpOptimWrapper, GroupedOptimWrapperConstructor
from passreid.utils import register_all_modules


def wrapper_of(parameters, **kwargs):
    return AutoAmpOptimWrapper(torch.optim.SGD(parameters, lr=1.0), **kwargs)


def assert_same(parameters, expected):
    assert [id(p) for p in parameters] == [id(p) for p in expected]


@pytest.mark.parametrize(
    ('clip_grad', 'steps'),
    [
        # Gradients of 4 times 6 and -2: norms 12 and 4, largest 6 and 2, sums 24 and 8.
        (dict(type='per_parameter', max_norm=3.0), (1.5, -1.5)),
        (dict(max_norm=160**0.5 / 2), (3.0, -1.0)),
        (dict(type='norm', max_norm=3.0, norm_type=torch.inf), (3.0, -1.0)),
        (dict(type='value', clip_value=2.5), (2.5, -2.0)),
        (None, (6.0, -2.0)),
    ],
)
def test_ways_to_clip(clip_grad, steps):
    first, second, unused = (torch.nn.Parameter(torch.zeros(4)) for _ in range(3))
    wrapper = wrapper_of([first, second, unused], clip_grad=clip_grad)
    first.grad, second.grad = torch.full((4,), 6.0), torch.full((4,), -2.0)
    given = copy.copy(clip_grad)
    wrapper.step()
    assert clip_grad == given
    torch.testing.assert_close(first.data, torch.full((4,), -steps[0]))
    torch.testing.assert_close(second.data, torch.full((4,), -steps[1]))
    if clip_grad and clip_grad.get('type') == 'per_parameter':
        parameters, norms = wrapper.gradient_norms
        assert_same(parameters, [first, second])
        assert norms.tolist() == [12, 4]


def test_step_with_bad_gradients_does_nothing_on_a_cpu():
    good, bad = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    wrapper = wrapper_of([good, bad], clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.update_params(good.sum() + (bad * torch.inf).sum())
    assert torch.equal(good.data, torch.ones(2)) and torch.equal(bad.data, torch.ones(2))
    assert wrapper.gradient_norms[1].isfinite().tolist() == [True, False]


def test_skipped_parameters_are_left_alone_even_by_decay():
    frozen, free = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([frozen, free], lr=0.1, weight_decay=0.5)
    wrapper = AutoAmpOptimWrapper(optimizer, clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.skip([frozen])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert torch.equal(frozen.data, torch.ones(2))
    assert not torch.equal(free.data, torch.ones(2))
    assert frozen not in optimizer.state
    wrapper.skip([])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert not torch.equal(frozen.data, torch.ones(2))


@pytest.mark.parametrize(
    ('amp', 'enabled'), [('float16', False), ('bfloat16', True), (None, False)]
)
def test_types_on_a_cpu(log, amp, enabled):
    wrapper = wrapper_of([torch.nn.Parameter(torch.zeros(1))], amp=amp)
    assert ('needs a GPU' in log()) == (amp == 'float16')
    with wrapper.optim_context(torch.nn.Identity()):
        assert torch.is_autocast_enabled('cpu') == enabled
        assert not enabled or torch.get_autocast_dtype('cpu') == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')


def test_unknown_type():
    with pytest.raises(ValueError, match='float8'):
        wrapper_of([torch.nn.Parameter(torch.zeros(1))], amp='float8')


def groups_of(model, **paramwise_cfg):
    register_all_modules()
    optimizer = dict(type='AdamW', lr=0.1, weight_decay=0.04)
    wrapper = dict(type='AutoAmpOptimWrapper', optimizer=optimizer)
    return GroupedOptimWrapperConstructor(wrapper, paramwise_cfg)(model).optimizer.param_groups


def test_two_groups_decayed_and_not():
    first, norm, second, frozen = model = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2), torch.nn.Linear(2, 2)
    )
    frozen.requires_grad_(False)
    decayed, other = groups_of(model, bias_decay_mult=0.0, norm_decay_mult=0.0, flat_decay_mult=0.0)
    assert (decayed['weight_decay'], other['weight_decay']) == (0.04, 0)
    assert_same(decayed['params'], [first.weight, second.weight])
    assert_same(other['params'], [first.bias, norm.weight, norm.bias, second.bias])


class Shared(torch.nn.Module):
    """Two layers with one weight, and each its bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.second.weight = self.first.weight


@pytest.mark.parametrize('bypass', [True, False])
def test_shared_parameter_enters_once(bypass):
    model = Shared()
    (group,) = groups_of(model, bypass_duplicate=bypass, norm_decay_mult=0.0)
    assert_same(group['params'], [model.first.weight, model.first.bias, model.second.bias])


def test_shared_parameter_has_the_options_of_the_module_that_comes_first():
    keys = {'second.weight': dict(lr_mult=2.0)}
    options = dict(bypass_duplicate=True, bias_lr_mult=3.0, custom_keys=keys)
    first, second = groups_of(Shared(), **options)
    assert [first['lr'], len(first['params']), len(second['params'])] == [0.1, 1, 2]
