import torch
from torch.nn import functional as F

from passreid.models import CosFaceLoss


def test_the_margin_is_taken_off_the_right_cosine():
    cosines, labels = torch.rand(4, 3) * 2 - 1, torch.tensor([2, 0, 1, 1])
    expected = F.cross_entropy(30 * (cosines - 0.35 * F.one_hot(labels, 3)), labels)
    torch.testing.assert_close(CosFaceLoss(scale=30.0)(cosines, labels), expected)
