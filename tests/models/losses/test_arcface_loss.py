import math

import torch
from torch.nn import functional as F

from passreid.models import ArcFaceLoss


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
