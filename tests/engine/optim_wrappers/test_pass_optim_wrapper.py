import pytest
import torch
from mmengine.logging import MMLogger

from passreid.engine import PASSOptimWrapper


def wrapper_of(parameters, **kwargs):
    return PASSOptimWrapper(torch.optim.SGD(parameters, lr=1.0), **kwargs)


def test_each_gradient_is_clipped_by_itself():
    large, small, none = (torch.nn.Parameter(torch.zeros(4)) for _ in range(3))
    wrapper = wrapper_of([large, small, none], clip_grad=dict(max_norm=3.0))
    large.grad, small.grad = torch.full((4,), 5.0), torch.full((4,), 0.5)
    wrapper.step()
    # Norms 10 and 1: only the first is scaled, to 3.
    torch.testing.assert_close(large.data, torch.full((4,), -1.5))
    torch.testing.assert_close(small.data, torch.full((4,), -0.5))
    parameters, norms = wrapper.gradient_norms
    assert [id(p) for p in parameters] == [id(large), id(small)]
    torch.testing.assert_close(norms, torch.tensor([10.0, 1.0]))


def test_skipped_parameters_are_left_alone_even_by_decay():
    frozen, free = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([frozen, free], lr=0.1, weight_decay=0.5)
    wrapper = PASSOptimWrapper(optimizer, clip_grad=dict(max_norm=3.0))
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
