import pytest
import torch
from torch.nn import functional as F

from passreid.models.losses import TripletLoss, agreement_loss, refined_targets

CLUSTERS = 6


@pytest.fixture
def batch(reference):
    """Recorded numbers, and the batch as float64: part logits are (24, 3, 6) here."""
    recorded = reference('pplr')
    given = {name: recorded[f'batch/{name}'] for name in ('targets', 'agreement')}
    for name in ('emb_g', 'logits_g', 'logits_p'):
        given[name] = recorded[f'batch/{name}'].double().requires_grad_()
    given['of_global'] = given['logits_g'][:, :CLUSTERS]
    given['of_parts'] = given['logits_p'][:, :CLUSTERS].transpose(1, 2)
    return recorded, given


def assert_recorded(found, expected, atol):
    torch.testing.assert_close(found, expected, atol=atol, rtol=0, check_dtype=False)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_recorded_targets(batch, dtype):
    recorded, given = batch
    options = given['of_parts'].to(dtype), given['agreement'].to(dtype), given['targets']
    targets = refined_targets(*options)
    assert not targets.requires_grad
    assert targets.dtype == dtype
    assert_recorded(targets, recorded['refined/targets'], 1e-6)
    assert_recorded(refined_targets(*options, beta=0), recorded['refined/ensemble'], 1e-6)
    one_hot = F.one_hot(given['targets'], CLUSTERS)
    assert_recorded(refined_targets(*options, beta=1), one_hot, 0)


@pytest.mark.parametrize('epoch', [4, 5])
def test_recorded_step(batch, epoch):
    """The whole step without cameras, the triplet included: 4 with smoothing, 5 with agreement."""
    recorded, given = batch
    labels, of_parts, agreement = given['targets'], given['of_parts'], given['agreement']
    expected = {
        name.rpartition('/')[2]: value
        for name, value in recorded.items()
        if name.startswith(f'plain/epoch{epoch}/')
    }
    targets = refined_targets(of_parts, agreement, labels)
    of_global = F.cross_entropy(given['of_global'], targets)
    assert_recorded(of_global, expected['global_refined'], 1e-5)
    if epoch < 5:
        by_part = torch.stack(
            [F.cross_entropy(part, labels, label_smoothing=0.1) for part in of_parts.unbind(1)]
        )
        assert_recorded(by_part, expected['parts_smoothed'], 1e-5)
        parts = by_part.mean()
    else:
        by_part = [agreement_loss(of_parts[:, [i]], labels, agreement[:, [i]]) for i in range(3)]
        assert_recorded(torch.stack(by_part), expected['parts_agreement'], 1e-5)
        parts = agreement_loss(of_parts, labels, agreement)
    triplet = TripletLoss()(given['emb_g'], labels)
    assert_recorded(triplet, expected['triplet'], 1e-5)
    total = of_global + triplet + parts
    assert_recorded(total, expected['total'], 1e-5)
    total.backward()
    for name in ('emb_g', 'logits_g', 'logits_p'):
        assert_recorded(given[name].grad, expected[f'grad_{name}'], 1e-6)


def draw():
    """Logits (8, 3, 5), agreement (8, 3) and labels (8,), of which three do not count."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 3, 5, generator=generator, dtype=torch.double).requires_grad_()
    agreement = torch.rand(8, 3, generator=generator, dtype=torch.double)
    return logits, agreement, torch.tensor([0, -1, 3, 3, -1, 4, 2, -1])


def test_definition():
    """Image by image, part by part; the loss is linear between agreement 0 and 1."""
    logits, agreement, labels = draw()
    losses = []
    for image, label in enumerate(labels.tolist()):
        weights = agreement[image].exp() / agreement[image].exp().sum()
        expected = torch.zeros(5, dtype=torch.double)
        if label >= 0:
            for part in range(3):
                q = logits[image, part].exp() / logits[image, part].exp().sum()
                a = agreement[image, part]
                divergence = sum(0.2 * torch.log(0.2 / q[c]) for c in range(5))
                losses.append(-a * q[label].log() + (1 - a) * divergence)
                expected += 0.3 * weights[part] * q.detach()
            expected[label] += 0.7
        found = refined_targets(logits, agreement, labels, beta=0.7)[image]
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(agreement_loss(logits, labels, agreement), sum(losses) / 15)


def test_images_without_label_do_not_count():
    logits, agreement, labels = draw()
    kept = labels >= 0
    loss = agreement_loss(logits, labels, agreement)
    other = agreement_loss(logits[kept], labels[kept], agreement[kept])
    torch.testing.assert_close(loss, other)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[~kept] == 0).all() and (gradient[kept] != 0).all()
    targets = refined_targets(logits, agreement, labels)
    torch.testing.assert_close(targets.sum(1), kept.double())
    nobody = agreement_loss(logits, torch.full_like(labels, -1), agreement)
    assert nobody == 0 and not torch.autograd.grad(nobody, logits)[0].any()


def test_gradient():
    logits, agreement, labels = draw()
    assert torch.autograd.gradcheck(lambda x: agreement_loss(x, labels, agreement), logits)
