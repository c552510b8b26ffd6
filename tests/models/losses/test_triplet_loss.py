import pytest
import torch
from torch.nn import functional as F

from passreid.models import TripletLoss

FEATURES = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0], [6.0, 8.0], [0.0, 1.0]])
LABELS = torch.tensor([5, 5, 2, 2, 8])


def literal(features, labels, margin=None):
    """Compute the mean over the anchors, pair by pair, by the definition of the loss."""
    terms = []
    for anchor, label in zip(features, labels, strict=True):
        distances = [(anchor - other).norm().item() for other in features]
        same = (labels == label).tolist()
        negatives = [d for d, is_same in zip(distances, same, strict=True) if not is_same]
        if negatives:
            gap = max(d for d, is_same in zip(distances, same, strict=True) if is_same)
            gap = torch.tensor(gap - min(negatives))
            terms.append(F.softplus(gap) if margin is None else (gap + margin).clamp(min=0))
    return torch.stack(terms).mean() if terms else torch.zeros(())


def test_recorded_margin(reference):
    recorded = reference('reid_head')
    features = recorded['margin/feat'].clone().requires_grad_()
    loss = TripletLoss(margin=0.3)(features, recorded['target'])
    loss.backward()
    torch.testing.assert_close(loss.detach(), recorded['margin/loss'], atol=1e-5, rtol=0)
    torch.testing.assert_close(features.grad, recorded['margin/grad'], atol=1e-6, rtol=0)


@pytest.mark.parametrize('margin', [None, 0.3, 5.0])
def test_unequal_numbers_of_images(margin):
    labels = torch.tensor([3, 0, 3, 7, 0, 3, 3, 9])
    features = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    loss = TripletLoss(margin=margin)(features, labels)
    torch.testing.assert_close(loss, literal(features, labels, margin))
    order = torch.randperm(8)
    torch.testing.assert_close(TripletLoss(margin=margin)(features[order], labels[order]), loss)


@pytest.mark.parametrize('margin', [None, 0.3])
def test_one_identity_alone_costs_nothing(margin):
    features = torch.randn(4, 8, requires_grad=True)
    loss = TripletLoss(margin=margin)(features, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(features.grad, torch.zeros(4, 8))


@pytest.mark.parametrize('normalize', [False, True])
def test_equal_features_have_a_finite_gradient(normalize):
    features = torch.ones(6, 8, requires_grad=True)
    loss = TripletLoss(normalize=normalize)(features, torch.tensor([0, 0, 0, 1, 1, 2]))
    loss.backward()
    torch.testing.assert_close(loss.item(), torch.tensor(2.0).log().item())
    assert torch.equal(features.grad, torch.zeros(6, 8))


def test_close_features_are_told_apart():
    # The expansion |a|^2 - 2ab + |b|^2 loses these distances in float32.
    features = torch.full((4, 64), 10.0)
    features[:, 0] += torch.tensor([0.0, 1e-4, 3e-4, 6e-4])
    loss = TripletLoss(margin=1e-3)(features, torch.tensor([0, 0, 1, 1]))
    exact = literal(features.double(), torch.tensor([0, 0, 1, 1]), 1e-3)
    torch.testing.assert_close(loss, exact, atol=1e-8, rtol=0)


def test_gradient():
    features = torch.randn(6, 4, dtype=torch.double, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    for loss in (TripletLoss(), TripletLoss(margin=0.3), TripletLoss(normalize=True)):
        assert torch.autograd.gradcheck(lambda f, loss=loss: loss(f, labels), features)
