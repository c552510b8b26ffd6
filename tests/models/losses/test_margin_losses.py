import math

import torch
from torch.nn import functional as F

from passreid.models import ArcFaceLoss, CircleLoss, CosFaceLoss


def test_the_angle_of_the_right_identity_grows():
    angles = torch.tensor([[0.4, 1.2, 2.0], [1.0, 2.5, 0.3]])
    labels = torch.tensor([1, 0])
    wider = angles + 0.5 * F.one_hot(labels, 3)
    loss = ArcFaceLoss(margin=0.5, scale=30.0)(angles.cos(), labels)
    torch.testing.assert_close(loss, F.cross_entropy(30 * wider.cos(), labels))


def test_the_score_falls_up_to_the_opposite_direction():
    angles = torch.linspace(0.01, math.pi - 0.001, 500)
    scores = ArcFaceLoss(margin=0.5).right(angles.cos())
    assert (scores.diff() < 0).all()


def test_the_margin_is_taken_off_the_right_cosine():
    cosines, labels = torch.rand(4, 3) * 2 - 1, torch.tensor([2, 0, 1, 1])
    expected = F.cross_entropy(30 * (cosines - 0.35 * F.one_hot(labels, 3)), labels)
    found = CosFaceLoss(scale=30.0, loss_weight=0.5)(cosines, labels)
    torch.testing.assert_close(found, 0.5 * expected)


MARGIN, SCALE = 0.25, 16.0
COSINES, OWN = torch.tensor([[0.9, 0.1, -0.4], [-0.2, 0.6, 0.8]]), torch.tensor([0, 1])


def test_equation_of_the_paper():
    terms = []
    for row, label in zip(COSINES, OWN, strict=True):
        right, wrong = row[label], row[torch.arange(3) != label]
        pull = torch.exp(-SCALE * (1 + MARGIN - right).clamp(min=0) * (right - (1 - MARGIN)))
        push = torch.exp(SCALE * (wrong + MARGIN).clamp(min=0) * (wrong - MARGIN)).sum()
        terms.append(torch.log(1 + push * pull))
    loss = CircleLoss(margin=MARGIN, scale=SCALE)(COSINES, OWN)
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_weights_get_no_gradient():
    # Equation 10 of the paper: the ratio of the gradients is that of the weights.
    cosines = COSINES.clone().requires_grad_()
    loss = CircleLoss(margin=MARGIN, scale=SCALE)
    loss(cosines, OWN).backward()
    scores = SCALE * loss.wrong(COSINES)
    scores[0, 0] = SCALE * loss.right(COSINES[0, 0])
    left = scores[0].softmax(0)
    expected = SCALE * left[1:] * (COSINES[0, 1:] + MARGIN).clamp(min=0) / 2
    torch.testing.assert_close(cosines.grad[0, 1:], expected)
    expected = -SCALE * (1 - left[0]) * (1 + MARGIN - COSINES[0, 0]) / 2
    torch.testing.assert_close(cosines.grad[0, 0], expected)
