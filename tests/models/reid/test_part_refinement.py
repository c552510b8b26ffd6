from math import exp, log

import pytest
import torch
from torch.nn import functional as F

from passreid.models import ClusterMemory, PartRefinement, agreement_loss, refined_targets

LABELS = torch.tensor([0, 3, -1, 3, 2, -1])
PLACES = torch.tensor([7, 0, 4, 2, 9, 5])


@pytest.fixture
def random():
    """Scores (6, 4), parts (6, 3, 8) of any length, centers (4, 3, 8), agreement (10, 3)."""
    generator = torch.Generator().manual_seed(0)
    shapes = (6, 4), (6, 3, 8), (4, 3, 8)
    drawn = [torch.randn(shape, generator=generator) for shape in shapes]
    return *drawn, torch.rand(10, 3, generator=generator)


def filled(centers, agreement, epoch=5, **options):
    refinement = PartRefinement(4, centers.shape[1], **options)
    refinement.set_parts(centers, agreement)
    refinement.set_epoch(epoch)
    return refinement


def test_by_hand():
    """One image, two clusters, two parts: the first right and agreed on, the second torn."""
    centers = torch.tensor([[[2.0, 0.0]], [[0.0, 3.0]]]).expand(-1, 2, -1)
    agreement = torch.tensor([[9.0, 9.0], [1.0, 0.0]])
    parts = torch.tensor([[[5.0, 0.0], [1.0, 1.0]]])
    scores = torch.tensor([[log(3), 0.0]])  # Predictions 3/4 and 1/4.
    inputs = scores, parts, torch.tensor([0]), torch.tensor([1])
    # Logits of the first part are (2, 0), those of the second are equal.
    first = 1 / (1 + exp(-2))
    weight = exp(1) / (exp(1) + 1)
    target = 0.5 + 0.5 * (weight * first + (1 - weight) * 0.5)
    expected = -target * log(0.75) - (1 - target) * log(0.25)
    smoothed = -0.95 * log(first) - 0.05 * log(1 - first) + log(2)
    agreed = -log(first)  # The second part is uniform: no divergence.
    for epoch, of_parts in ((4, smoothed / 2), (5, agreed / 2)):
        refinement = filled(centers, agreement, epoch, temperature=0.5)
        losses = refinement(*inputs)
        assert losses['loss_global'].item() == pytest.approx(expected, abs=1e-6)
        assert losses['loss_parts'].item() == pytest.approx(of_parts, abs=1e-6)
        first_memory, second_memory = refinement.memories
        torch.testing.assert_close(first_memory.centers, torch.eye(2))
        moved = torch.tensor([0.2 + 0.8 * 0.5**0.5, 0.8 * 0.5**0.5])
        moved = torch.stack([moved / moved.norm(), torch.tensor([0.0, 1.0])])
        torch.testing.assert_close(second_memory.centers, moved)


@pytest.mark.parametrize('start_epoch', [0, 2, 5])
def test_agreement_weighs_from_the_start_epoch(random, start_epoch):
    scores, parts, centers, agreement = random
    logits = torch.einsum('bld,kld->blk', *(F.normalize(x, dim=2) for x in (parts, centers))) / 0.1
    smoothed = F.cross_entropy(
        logits[LABELS >= 0].flatten(0, 1),
        LABELS[LABELS >= 0].repeat_interleave(3),
        label_smoothing=0.2,
    )
    agreed = agreement_loss(logits, LABELS, agreement[PLACES])
    targets = refined_targets(logits, agreement[PLACES], LABELS, 0.7)
    of_global = F.cross_entropy(scores[LABELS >= 0], targets[LABELS >= 0])
    options = dict(temperature=0.1, beta=0.7, smoothing=0.2, start_epoch=start_epoch)
    for epoch in range(7):
        losses = filled(centers, agreement, epoch, **options)(scores, parts, LABELS, PLACES)
        torch.testing.assert_close(losses['loss_global'], of_global)
        expected = smoothed if epoch < start_epoch else agreed
        torch.testing.assert_close(losses['loss_parts'], expected)


@pytest.mark.parametrize('use_hard', [True, False])
def test_memories_move_as_alone(random, use_hard):
    scores, parts, centers, agreement = random
    options = dict(temperature=0.1, momentum=0.6, use_hard=use_hard)
    refinement = filled(centers, agreement, **options)
    refinement.eval()(scores, parts, LABELS, PLACES)
    for number, memory in enumerate(refinement.memories):
        assert torch.equal(memory.centers, F.normalize(centers[:, number], dim=1))
    refinement.train()(scores, parts, LABELS, PLACES)
    for number, memory in enumerate(refinement.memories):
        alone = ClusterMemory(**options)
        alone.set_centers(centers[:, number])
        alone(parts[:, number], LABELS)
        torch.testing.assert_close(memory.centers, alone.centers)


@pytest.mark.parametrize('epoch', [0, 5])
def test_images_without_cluster_do_not_count(random, epoch):
    scores, parts, centers, agreement = random
    kept = LABELS >= 0
    inputs = [values.requires_grad_() for values in (scores, parts)]
    one, other = (filled(centers, agreement, epoch) for _ in range(2))
    losses = one(*inputs, LABELS, PLACES)
    torch.testing.assert_close(losses, other(scores[kept], parts[kept], LABELS[kept], PLACES[kept]))
    torch.testing.assert_close(one.state(), other.state())
    # Each loss has a gradient for its own features alone, and for all of those that count.
    for loss, own in zip(losses.values(), inputs, strict=True):
        for values in inputs:
            (gradient,) = torch.autograd.grad(loss, values, retain_graph=True, allow_unused=True)
            if values is own:
                assert (gradient[~kept] == 0).all()
                assert (gradient[kept].abs().sum(-1) > 0).all()
            else:
                assert gradient is None
    before = one.state()
    losses = one(scores, parts, torch.full_like(LABELS, -1), PLACES)
    assert not any(losses.values())
    assert not torch.autograd.grad(sum(losses.values()), inputs)[1].any()
    torch.testing.assert_close(one.state(), before, atol=0, rtol=0)


def test_it_goes_on_bit_by_bit(random):
    scores, parts, centers, agreement = random
    one, other = filled(centers, agreement), PartRefinement(4)
    one(scores, parts, LABELS, PLACES)
    assert {name.partition('.')[0] for name in one.state_dict()} == {'norm'}
    state = {name: value.clone() for name, value in one.state().items()}
    other.load_state(state)
    other.set_epoch(5)
    for _ in range(3):
        found, expected = (each(scores, parts, LABELS, PLACES) for each in (other, one))
        torch.testing.assert_close(found, expected, atol=0, rtol=0)
        torch.testing.assert_close(other.state(), one.state(), atol=0, rtol=0)


@pytest.mark.parametrize('epoch', [0, 5])
def test_nothing_waits_for_the_device(random, epoch):
    """No value is read off the device."""
    scores, parts, centers, agreement = random
    refinement = filled(centers, agreement, epoch)
    with torch.profiler.profile() as profile:
        refinement(scores, parts, LABELS, PLACES)
    names = {event.name for event in profile.events()}
    assert 'aten::argmin' in names
    assert not names & {'aten::_local_scalar_dense', 'aten::nonzero'}


def test_float32_under_autocast(random):
    scores, parts, centers, agreement = random
    expected = filled(centers, agreement)(scores, parts, LABELS, PLACES)
    with torch.autocast('cpu', torch.bfloat16):
        found = filled(centers, agreement)(scores, parts, LABELS, PLACES)
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_another_number_of_parts(random):
    scores, parts, centers, agreement = random
    refinement = PartRefinement(4, num_parts=2)
    with pytest.raises(ValueError, match='zip'):
        refinement.set_parts(centers, agreement)


def test_models_without_parts():
    with pytest.raises(ValueError, match='model.part_refinement=None'):
        PartRefinement(4, num_parts=0)
