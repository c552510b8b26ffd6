import pytest
import torch
from torch.nn import functional as F

from passreid.models import ClusterMemory

MODES = {'mean': False, 'hard': True}


def literal_batch(centers, features, labels, use_hard, temperature, momentum):
    """Loss of a batch and the centers after it, image by image as the paper words it."""
    unit = [feature / feature.norm() for feature in features]
    losses = []
    for feature, label in zip(unit, labels.tolist(), strict=True):
        scores = [float(feature @ center) / temperature for center in centers]
        losses.append(torch.tensor(scores).logsumexp(0) - scores[label])
    moved = centers.clone()
    for cluster in sorted(set(labels.tolist())):
        members = [f for f, label in zip(unit, labels.tolist(), strict=True) if label == cluster]
        if use_hard:
            members = [min(members, key=lambda feature: float(feature @ centers[cluster]))]
        for feature in members:
            mixed = momentum * moved[cluster] + (1 - momentum) * feature
            moved[cluster] = mixed / mixed.norm()
    return torch.stack(losses).mean(), moved


def filled(centers, **options):
    memory = ClusterMemory(**options)
    memory.set_centers(centers)
    return memory


@pytest.fixture
def random():
    """Features (12, 6) of any length and centers of 5 clusters (5, 6)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 6, generator=generator), torch.randn(5, 6, generator=generator)


@pytest.mark.parametrize('mode', MODES)
def test_recorded_batches(reference, mode):
    recorded = reference('cluster')
    memory = filled(recorded['centroids'], use_hard=MODES[mode])
    torch.testing.assert_close(memory.centers, recorded['memory_init'], atol=1e-6, rtol=0)
    for step in range(3):
        inputs = recorded['batch_inputs'][step].requires_grad_()
        loss = memory(inputs, recorded['batch_targets'][step])
        loss.backward()
        torch.testing.assert_close(loss, recorded[f'{mode}/loss'][step], atol=1e-5, rtol=0)
        torch.testing.assert_close(inputs.grad, recorded[f'{mode}/grad'][step], atol=1e-6, rtol=0)
        if step in (0, 2):
            expected = recorded[f'{mode}/memory_after{step + 1}']
            torch.testing.assert_close(memory.centers, expected, atol=1e-6, rtol=0)


LABELS = {
    'groups': [0, 0, 0, 2, 2, 2, 3, 3, 3, 4, 4, 4],
    'a cluster twice': [3, 3, 1, 1, 3, 3, 0, 0, 2, 2, 4, 4],
    'uneven and mixed': [4, 0, 4, 4, 1, 0, 4, 4, 4, 2, 4, 4],
    'one cluster': [2] * 12,
    'one image each': [4, 3, 2, 1, 0],
    'a single image': [3],
}


@pytest.mark.parametrize('use_hard', [False, True])
@pytest.mark.parametrize('labels', LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize(('temperature', 'momentum'), [(0.05, 0.2), (0.5, 0.9), (0.05, 0.0)])
def test_definition(random, labels, use_hard, temperature, momentum):
    features, centers = random
    labels = torch.tensor(labels)
    features = features[: len(labels)]
    options = dict(temperature=temperature, momentum=momentum, use_hard=use_hard)
    memory = filled(centers, **options)
    loss, moved = literal_batch(memory.centers, features, labels, **options)
    torch.testing.assert_close(memory(features, labels), loss, atol=1e-5, rtol=0)
    torch.testing.assert_close(memory.centers, moved, atol=1e-6, rtol=0)
    absent = sorted(set(range(5)) - set(labels.tolist()))
    assert torch.equal(memory.centers[absent], filled(centers).centers[absent])


def test_of_equally_hard_images_the_first_counts():
    center = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    # All three have the cosine 0.6 with the center.
    features = torch.tensor([[0.6, 0.8, 0.0], [0.6, -0.8, 0.0], [0.6, 0.0, 0.8]])
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        memory = filled(center)
        memory(features[order], torch.zeros(3, dtype=torch.long))
        expected = F.normalize(0.2 * center[0] + 0.8 * features[order[0]], dim=0)
        torch.testing.assert_close(memory.centers[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('use_hard', [False, True])
def test_gradient_is_that_of_fixed_centers(random, use_hard):
    """Two batches before their backward passes: each sees the centers of its time."""
    features, centers = random
    features = features.requires_grad_()
    labels = torch.tensor(LABELS['groups'])
    memory = filled(centers.requires_grad_(), use_hard=use_hard)
    assert not memory.centers.requires_grad
    seen, losses = [], []
    for _ in range(2):
        seen.append(memory.centers.clone())
        losses.append(memory(features, labels))
    assert not torch.equal(*seen)
    for loss, then in zip(losses, seen, strict=True):
        (found,) = torch.autograd.grad(loss, features)
        scores = F.normalize(features, dim=1) @ then.T / 0.05
        (expected,) = torch.autograd.grad(F.cross_entropy(scores, labels), features)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert centers.grad is None and not memory.centers.requires_grad


@pytest.mark.parametrize('use_hard', [True, False])
def test_images_without_cluster_do_not_count(random, use_hard):
    features, centers = random
    labels = torch.tensor([0, -1, 3, 3, -1, 0, 2, -1, 3, 2, 0, -1])
    kept = labels >= 0
    memory, other = (filled(centers, use_hard=use_hard) for _ in range(2))
    loss = memory(features.requires_grad_(), labels)
    torch.testing.assert_close(loss, other(features[kept], labels[kept]))
    torch.testing.assert_close(memory.centers, other.centers)
    loss.backward()
    assert (features.grad[~kept] == 0).all()
    assert (features.grad[kept].norm(dim=1) > 0).all()


@pytest.mark.parametrize('momentum', [0.2, 0.3, 0.5, 0.9])
def test_many_images_of_a_cluster(momentum):
    """Even if each points away from the last, after which the order matters most."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(90, 6, generator=generator)
    features[1:60:2] = -features[:60:2] + 0.01 * features[1:60:2]
    labels = torch.tensor([0, 0, 1] * 30)
    memory = filled(torch.randn(2, 6, generator=generator), use_hard=False, momentum=momentum)
    _, moved = literal_batch(memory.centers, features, labels, False, 0.05, momentum)
    memory(features, labels)
    torch.testing.assert_close(memory.centers, moved, atol=1e-6, rtol=0)


@pytest.mark.parametrize('use_hard', [False, True])
def test_nothing_waits_for_the_device(random, use_hard):
    """No value is read off the device."""
    features, centers = random
    memory = filled(centers, use_hard=use_hard)
    with torch.profiler.profile() as profile:
        memory(features, torch.tensor(LABELS['uneven and mixed']))
    names = {event.name for event in profile.events()}
    assert 'aten::index_put_' in names
    assert not names & {'aten::_local_scalar_dense', 'aten::nonzero'}


@pytest.mark.parametrize(('label', 'training'), [(-1, True), (1, False)])
@pytest.mark.parametrize('use_hard', [True, False])
def test_batches_that_change_nothing(random, label, training, use_hard):
    """In which no image counts, or in the test."""
    features, centers = random
    memory = filled(centers, use_hard=use_hard).train(training)
    before = memory.centers
    loss = memory(features.requires_grad_(), torch.full((len(features),), label))
    loss.backward()
    assert bool(loss) == bool(features.grad.any()) == (label >= 0)
    assert torch.equal(memory.centers, before)


def test_state(random):
    """A memory goes on as the one whose state it took, which later calls do not change."""
    features, centers = random
    labels = torch.tensor(LABELS['uneven and mixed'])
    memory, other = filled(centers), ClusterMemory()
    memory(features, labels)
    state = memory.state()
    copy = {name: value.clone() for name, value in state.items()}
    memory(features, labels)
    assert list(state) == ['centers'] and torch.equal(state['centers'], copy['centers'])
    other.load_state(state | {'epoch': 3})
    other(features, labels)
    assert torch.equal(other.centers, memory.centers)
