import pytest
import torch
from mmengine.logging import MMLogger

from passreid.engine import PASSOptimWrapper


def wrapper_of(parameters, **kwargs):
    return PASSOptimWrapper(torch.optim.SGD(parameters, lr=1.0), **kwargs)


def test_each_gradient_is_clipped_by_itself():
    large, small, none = (torch.nn.Parameter(torch.zeros(4)) for _ in range(3))
    clip_grad = dict(type='per_parameter', max_norm=3.0)
    wrapper = wrapper_of([large, small, none], clip_grad=clip_grad)
    large.grad, small.grad = torch.full((4,), 5.0), torch.full((4,), 0.5)
    wrapper.step()
    # Norms 10 and 1: only the first is scaled, to 3.
    torch.testing.assert_close(large.data, torch.full((4,), -1.5))
    torch.testing.assert_close(small.data, torch.full((4,), -0.5))
    parameters, norms = wrapper.gradient_norms
    assert [id(p) for p in parameters] == [id(large), id(small)]
    torch.testing.assert_close(norms, torch.tensor([10.0, 1.0]))
    assert clip_grad == dict(type='per_parameter', max_norm=3.0)


@pytest.mark.parametrize(
    ('clip_grad', 'steps'),
    [
        # Gradients of 4 times 6 and -2: norms 12 and 4, largest 6 and 2, sums 24 and 8.
        (dict(type='per_parameter', max_norm=3.0), (1.5, -1.5)),
        (dict(type='per_parameter', max_norm=3.0, norm_type=torch.inf), (3.0, -2.0)),
        (dict(type='per_parameter', max_norm=12.0, norm_type=1), (3.0, -2.0)),
        (dict(max_norm=160**0.5 / 2), (3.0, -1.0)),
        (dict(type='norm', max_norm=3.0, norm_type=torch.inf), (3.0, -1.0)),
        (dict(type='value', clip_value=2.5), (2.5, -2.0)),
        (None, (6.0, -2.0)),
    ],
)
def test_ways_to_clip(clip_grad, steps):
    first, second = (torch.nn.Parameter(torch.zeros(4)) for _ in range(2))
    wrapper = wrapper_of([first, second], clip_grad=clip_grad)
    first.grad, second.grad = torch.full((4,), 6.0), torch.full((4,), -2.0)
    wrapper.step()
    torch.testing.assert_close(first.data, torch.full((4,), -steps[0]))
    torch.testing.assert_close(second.data, torch.full((4,), -steps[1]))


@pytest.mark.parametrize(
    ('clip_grad', 'named'),
    [
        (dict(type='per_layer', max_norm=3.0), 'per_layer.*per_parameter'),
        (dict(type='per_parameter', max_norm=3.0, foreach=True), 'foreach'),
        (dict(type='per_parameter', clip_value=3.0), 'clip_grad.*max_norm'),
        (dict(type='value', max_norm=3.0), 'clip_grad.*clip_value'),
        (dict(max_nrom=3.0), 'clip_grad.*max_norm'),
    ],
)
def test_wrong_ways_to_clip(clip_grad, named):
    with pytest.raises(ValueError, match=named):
        wrapper_of([torch.nn.Parameter(torch.zeros(1))], clip_grad=clip_grad)


def test_step_with_bad_gradients_does_nothing_on_a_cpu():
    good, bad = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    wrapper = wrapper_of([good, bad], clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.update_params(good.sum() + (bad * torch.inf).sum())
    assert torch.equal(good.data, torch.ones(2)) and torch.equal(bad.data, torch.ones(2))
    assert wrapper.gradient_norms[1].isfinite().tolist() == [True, False]


def test_skipped_parameters_are_left_alone_even_by_decay():
    frozen, free = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([frozen, free], lr=0.1, weight_decay=0.5)
    wrapper = PASSOptimWrapper(optimizer, clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.skip([frozen])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert torch.equal(frozen.data, torch.ones(2))
    assert not torch.equal(free.data, torch.ones(2))
    assert frozen not in optimizer.state
    wrapper.skip([])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert not torch.equal(frozen.data, torch.ones(2))


def test_float16_becomes_float32_on_a_cpu_with_a_warning(caplog):
    parameter = torch.nn.Parameter(torch.zeros(1))
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    wrapper = wrapper_of([parameter], amp='float16')
    logger.removeHandler(caplog.handler)
    assert 'needs a GPU' in caplog.text
    with wrapper.optim_context(torch.nn.Identity()):
        assert not torch.is_autocast_enabled('cpu')


def test_bfloat16_autocast_on_a_cpu():
    parameter = torch.nn.Parameter(torch.zeros(1))
    wrapper = wrapper_of([parameter], amp='bfloat16')
    with wrapper.optim_context(torch.nn.Identity()):
        assert torch.is_autocast_enabled('cpu')
        assert torch.get_autocast_dtype('cpu') == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')


def test_unknown_type():
    with pytest.raises(ValueError, match='float8'):
        wrapper_of([torch.nn.Parameter(torch.zeros(1))], amp='float8')
