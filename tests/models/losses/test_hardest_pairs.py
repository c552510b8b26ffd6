import torch

from passreid.models.losses import hardest_pairs

FEATURES = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0], [6.0, 8.0], [0.0, 1.0]])
LABELS = torch.tensor([5, 5, 2, 2, 8])


def test_distances():
    pairs = hardest_pairs(FEATURES, LABELS)
    expected = torch.tensor([5.0, 5.0, 72**0.5, 72**0.5, 1e-6])
    torch.testing.assert_close(pairs.positive, expected)
    torch.testing.assert_close(pairs.negative, torch.tensor([1.0, 13**0.5, 1.0, 5.0, 1.0]))
    assert pairs.valid.all()


def test_one_identity_has_no_negatives():
    pairs = hardest_pairs(FEATURES, torch.zeros(5, dtype=torch.long))
    assert not pairs.valid.any()
    torch.testing.assert_close(pairs.positive[0], torch.tensor(10.0))


def test_only_the_hardest_pairs_get_a_gradient():
    features = FEATURES.clone().requires_grad_()
    hardest_pairs(features, LABELS).negative[3].backward()
    # The nearest stranger of image 3 is image 1, half-way to the origin.
    expected = torch.zeros(5, 2)
    expected[3], expected[1] = torch.tensor([0.6, 0.8]), torch.tensor([-0.6, -0.8])
    torch.testing.assert_close(features.grad, expected)
