from itertools import combinations

import pytest
import torch
from torch.nn import functional as F

from passreid.models import token_similarity


def test_equals_its_definition():
    tokens = torch.randn(5, 4, 6, dtype=torch.float64, requires_grad=True)
    center = tokens.mean(0)
    squares = [
        F.cosine_similarity(image[a] - center[a], image[b] - center[b], dim=0) ** 2
        for image in tokens
        for a, b in combinations(range(4), 2)
    ]
    expected = torch.stack(squares).mean()
    found = token_similarity(tokens)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(value, tokens)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_equal_and_orthogonal_tokens():
    equal = torch.randn(8, 1, 6).expand(8, 3, 6)
    assert token_similarity(equal + 10 * torch.randn(3, 6)).item() == pytest.approx(1)
    half = token_similarity(equal[:1].half().expand(8, 3, 6))
    assert half.dtype == torch.float32
    assert half == 0
    signs = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert token_similarity(torch.stack((signs, signs.flip(1)), 1)).item() == 0
