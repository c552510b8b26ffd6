import torch

from passreid.models import CircleLoss

MARGIN, SCALE = 0.25, 16.0
COSINES, LABELS = torch.tensor([[0.9, 0.1, -0.4], [-0.2, 0.6, 0.8]]), torch.tensor([0, 1])


def test_equation_of_the_paper():
    terms = []
    for row, label in zip(COSINES, LABELS, strict=True):
        right, wrong = row[label], row[torch.arange(3) != label]
        pull = torch.exp(-SCALE * (1 + MARGIN - right).clamp(min=0) * (right - (1 - MARGIN)))
        push = torch.exp(SCALE * (wrong + MARGIN).clamp(min=0) * (wrong - MARGIN)).sum()
        terms.append(torch.log(1 + push * pull))
    loss = CircleLoss(margin=MARGIN, scale=SCALE)(COSINES, LABELS)
    torch.testing.assert_close(loss, torch.stack(terms).mean())


def test_weights_get_no_gradient():
    # Equation 10 of the paper: the ratio of the gradients is that of the weights.
    cosines = COSINES.clone().requires_grad_()
    loss = CircleLoss(margin=MARGIN, scale=SCALE)
    loss(cosines, LABELS).backward()
    scores = SCALE * loss.wrong(COSINES)
    scores[0, 0] = SCALE * loss.right(COSINES[0, 0])
    left = scores[0].softmax(0)
    expected = SCALE * left[1:] * (COSINES[0, 1:] + MARGIN).clamp(min=0) / 2
    torch.testing.assert_close(cosines.grad[0, 1:], expected)
    expected = -SCALE * (1 - left[0]) * (1 + MARGIN - COSINES[0, 0]) / 2
    torch.testing.assert_close(cosines.grad[0, 0], expected)
