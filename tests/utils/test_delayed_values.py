import pytest
import torch

from passreid.utils.delayed_values import DelayedValues


def test_on_a_cpu_values_come_at_once():
    values = DelayedValues()
    assert values.push({'a': torch.tensor(1.5), 'b': torch.tensor([2.0])}) == {'a': 1.5, 'b': 2.0}
    assert values.flush() is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu_they_come_one_call_late():
    values = DelayedValues()
    assert values.push({'a': torch.tensor(1.0, device='cuda')}) is None
    assert values.push({'a': torch.tensor(2.0, device='cuda')}) == {'a': 1.0}
    assert values.flush() == {'a': 2.0}
    assert values.flush() is None
