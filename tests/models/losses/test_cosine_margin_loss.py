import pytest
import torch
from torch.nn import functional as F

from passreid.models import ArcFaceLoss, CircleLoss, CosFaceLoss

LOSSES = [ArcFaceLoss, CosFaceLoss, CircleLoss]
LABELS = torch.tensor([2, 0, 1, 1])


def cosines():
    return torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double) * 2 - 1


@pytest.mark.parametrize('loss', LOSSES)
def test_extreme_cosines_have_finite_gradients(loss):
    extreme = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], requires_grad=True)
    loss()(extreme, torch.tensor([0, 0, 1])).backward()
    assert extreme.grad.isfinite().all()


@pytest.mark.parametrize('loss', LOSSES)
def test_falls_with_the_right_cosine_and_rises_with_the_others(loss):
    values = cosines().float().requires_grad_()
    loss(scale=8.0)(values, LABELS).backward()
    right = F.one_hot(LABELS, 3).bool()
    assert (values.grad[right] < 0).all()
    # The circle loss leaves identities alone that are far enough away.
    wrong = ~right & (values > -0.25)
    assert (values.grad[wrong] > 0).all() and (values.grad[~right] >= 0).all()


@pytest.mark.parametrize('loss', [ArcFaceLoss, CosFaceLoss])
def test_without_margin_it_is_cross_entropy(loss):
    values = cosines().float()
    expected = 0.5 * F.cross_entropy(16 * values, LABELS)
    found = loss(margin=0.0, scale=16.0, loss_weight=0.5)(values, LABELS)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('loss', [ArcFaceLoss, CosFaceLoss])
def test_a_margin_makes_it_harder(loss):
    easy, hard = (loss(margin=margin, scale=8.0) for margin in (0.1, 0.3))
    values = cosines().float()
    assert hard(values, LABELS) > easy(values, LABELS)


@pytest.mark.parametrize('loss', LOSSES)
def test_half_precision_is_computed_in_float32(loss):
    values = cosines().bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        found = loss()(values, LABELS)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss()(values.float(), LABELS))
