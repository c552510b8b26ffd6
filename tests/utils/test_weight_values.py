import pytest
import torch

from passreid.utils.weight_values import check_weights


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_numbers(dtype):
    parts = torch.ones(4, 3, dtype=dtype)
    check_weights({'a': parts, 'part': parts[1:].T, 'none': torch.zeros(0), 'other': 'text'})


@pytest.mark.parametrize(
    ('value', 'problem'),
    [
        (torch.tensor([1.0, float('nan')]), 'not finite'),
        (torch.tensor([1.0, float('-inf')]), 'not finite'),
        (torch.ones(2, dtype=torch.int64), 'no floating-point numbers'),
        (torch.ones(2, dtype=torch.bool), 'no floating-point numbers'),
        (torch.ones(2, dtype=torch.complex64), 'no floating-point numbers'),
        (torch.ones(2).to_sparse(), 'not stored as plain numbers'),
        (torch.ones(2, device='meta'), 'not stored as plain numbers'),
        (torch.ones(1).expand(1 << 50), 'not stored as plain numbers'),
    ],
)
def test_others_are_named_and_counted(value, problem):
    with pytest.raises(ValueError, match=f'^1 of 2 weights are {problem}.* the first of them bad '):
        check_weights({'good': torch.ones(2), 'bad': value})
