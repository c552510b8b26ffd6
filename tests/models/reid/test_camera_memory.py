from collections import defaultdict

import numpy as np
import pytest
import torch
from processes import run_in_processes
from torch.nn import functional as F

from passreid.clustering import camera_proxies
from passreid.models import CameraMemory

PPLR = dict(inter_loss='pplr', intra_weight=0.0, momentum=1.0, start_epoch=0)
COUNTS = [('small', 4), ('large', 50)]


def filled(proxies, clusters, cameras, epoch=5, **options):
    memory = CameraMemory(**options)
    memory.set_proxies(proxies, clusters, cameras)
    memory.set_epoch(epoch)
    return memory


def literal_batch(memory, features, labels, cam_ids):
    """Losses of a batch, without weights, and the proxies after it, image by image."""
    unit = [feature / feature.norm() for feature in features]
    owners = list(zip(memory.clusters.tolist(), memory.cameras.tolist(), strict=True))
    numbers, moved = range(len(owners)), memory.centers.clone()
    within, across = defaultdict(list), defaultdict(list)
    for feature, *pair in zip(unit, labels.tolist(), cam_ids.tolist(), strict=True):
        if tuple(pair) not in owners:
            continue
        cluster, camera = pair
        own = owners.index((cluster, camera))
        scores = [feature @ proxy / memory.temperature for proxy in memory.centers]
        rivals = [scores[n] for n in numbers if owners[n][1] == camera]
        within[camera].append(torch.stack(rivals).logsumexp(0) - scores[own])
        positives = [scores[n] for n in numbers if owners[n][0] == cluster]
        if memory.inter_loss == 'pplr':
            positives.remove(scores[own])
        others = sorted(scores[n] for n in numbers if owners[n][0] != cluster)
        negatives = others[max(0, len(others) - memory.num_negatives) :]
        group = camera if memory.inter_loss == 'cap' else 'all'
        if positives:
            total = torch.stack([*positives, *negatives]).logsumexp(0)
            across[group].append(total - sum(positives) / len(positives))
        else:
            across[group].append(torch.tensor(0.0))
        if memory.momentum != 1:
            mixed = memory.momentum * moved[own] + (1 - memory.momentum) * feature.detach()
            moved[own] = mixed / mixed.norm()
    means = [sum(sum(x) / len(x) for x in groups.values()) for groups in (within, across)]
    return *means, moved


def random_batch(number=40, num_proxies=9, seed=0):
    """Features, labels and cameras of images, some of which do not count, and proxies.

    Of clusters and cameras 0 to 3; few proxies, so that images lack positives or negatives.
    """
    generator = torch.Generator().manual_seed(seed)
    features, labels, cameras = (
        torch.randn(number, 6, generator=generator),
        torch.randint(-1, 4, (number,), generator=generator),
        torch.randint(-1, 4, (number,), generator=generator),
    )
    pairs = torch.randperm(16, generator=generator)[:num_proxies]
    proxies = torch.randn(num_proxies, 6, generator=generator)
    return (features, labels, cameras), (proxies, pairs // 4, pairs % 4)


def recorded_batches(recorded, size):
    for inputs, index in zip(
        recorded[f'{size}/batch_inputs'], recorded[f'{size}/batch_index'], strict=True
    ):
        yield inputs, recorded[f'{size}/labels'][index], recorded[f'{size}/cams'][index]


@pytest.mark.parametrize(('size', 'number'), COUNTS)
def test_recorded_batches_of_pplr(reference, size, number):
    recorded = reference('camera_proxies')
    names = ('proxies', 'proxy_pids', 'proxy_cids')
    proxies = [recorded[f'{size}/{name}'] for name in names]
    memory = filled(*proxies, num_negatives=number, epoch=0, inter_weight=1.0, **PPLR)
    start = memory.centers
    expected = [recorded[f'{size}/pplr/k{number}/{name}'].float() for name in ('loss', 'grad')]
    for step, (inputs, *labels) in enumerate(recorded_batches(recorded, size)):
        losses = memory(inputs.requires_grad_(), *labels)
        sum(losses.values()).backward()
        assert losses['loss_intra'] == 0
        torch.testing.assert_close(losses['loss_inter'], expected[0][step], atol=1e-5, rtol=0)
        torch.testing.assert_close(inputs.grad, expected[1][step], atol=1e-6, rtol=0)
    assert memory.centers is start


@pytest.mark.parametrize(('size', 'number'), COUNTS)
@pytest.mark.parametrize('kind', ['intra', 'both'])
def test_recorded_batches_of_cap(reference, size, number, kind):
    recorded = reference('camera_proxies')
    proxies = [recorded[f'{size}/cap/memory_{name}'] for name in ('init', 'pids', 'cids')]
    memory = filled(*proxies, num_negatives=number, epoch=4 if kind == 'intra' else 5)
    prefix = f'{size}/cap/' + ('intra' if kind == 'intra' else f'both_k{number}')
    expected = {
        name: recorded[f'{prefix}/{name}'].float()
        for name in ('loss', 'grad', 'memory_after1', 'memory_after3')
    }
    for step, (inputs, *labels) in enumerate(recorded_batches(recorded, size)):
        unit = F.normalize(inputs, dim=1).requires_grad_()
        losses = memory(unit, *labels)
        loss = sum(losses.values())
        loss.backward()
        assert bool(losses['loss_inter']) == (kind == 'both')
        torch.testing.assert_close(loss, expected['loss'][step], atol=1e-5, rtol=0)
        # What was recorded is not normalized within; here the part along the feature is gone.
        grad, x = expected['grad'][step], unit.detach()
        grad = grad - x * (x * grad).sum(1, keepdim=True)
        torch.testing.assert_close(unit.grad, grad, atol=1e-5, rtol=0)
        if step in (0, 2):
            after = expected[f'memory_after{step + 1}']
            torch.testing.assert_close(memory.centers, after, atol=1e-6, rtol=0)


@pytest.mark.parametrize('inter_loss', ['cap', 'pplr'])
@pytest.mark.parametrize('number', [0, 2, 50])
@pytest.mark.parametrize('num_proxies', [1, 4, 9, 16])
@pytest.mark.parametrize('momentum', [0.2, 1.0])
def test_definition(inter_loss, number, num_proxies, momentum):
    (features, *labels), proxies = random_batch(num_proxies=num_proxies)
    options = dict(inter_loss=inter_loss, num_negatives=number, momentum=momentum)
    memory = filled(*proxies, intra_weight=2.0, inter_weight=3.0, **options)
    features.requires_grad_()
    intra, inter, moved = literal_batch(memory, features, *labels)
    losses = memory(features, *labels)
    for found, expected in zip(losses.values(), (2 * intra, 3 * inter), strict=True):
        # Sums over cameras of losses of up to 40.
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    expected = torch.autograd.grad(2 * intra + 3 * inter, features)[0]
    found = torch.autograd.grad(sum(losses.values()), features)[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(memory.centers, moved, atol=1e-6, rtol=0)


@pytest.mark.parametrize('inter_loss', ['cap', 'pplr'])
def test_images_that_do_not_count(inter_loss):
    """Without cluster, without camera, or of a pair without a proxy: as if they were not there."""
    batch, proxies = random_batch()
    labels = list(zip(*(values.tolist() for values in batch[1:]), strict=True))
    pairs = set(zip(*(values.tolist() for values in proxies[1:]), strict=True))
    kept = torch.tensor([pair in pairs for pair in labels])
    assert any(-1 not in pair and pair not in pairs for pair in labels)
    memory, other = (filled(*proxies, inter_loss=inter_loss) for _ in range(2))
    losses = memory(batch[0].requires_grad_(), *batch[1:])
    torch.testing.assert_close(losses, other(*(values[kept] for values in batch)))
    torch.testing.assert_close(memory.centers, other.centers, atol=1e-6, rtol=0)
    sum(losses.values()).backward()
    assert (batch[0].grad[~kept] == 0).all() and batch[0].grad[kept].any(1).all()


@pytest.mark.parametrize('inter_loss', ['cap', 'pplr'])
@pytest.mark.parametrize('name', ['labels', 'cam_ids'])
def test_batches_in_which_no_image_counts(inter_loss, name):
    (features, labels, cameras), proxies = random_batch()
    memory = filled(*proxies, inter_loss=inter_loss)
    before = memory.centers
    given = dict(labels=labels, cam_ids=cameras) | {name: torch.full_like(labels, -1)}
    losses = memory(features.requires_grad_(), **given)
    sum(losses.values()).backward()
    assert not any(losses.values()) and not features.grad.any()
    assert torch.equal(memory.centers, before)


def test_proxies_stay_in_the_test():
    batch, proxies = random_batch()
    memory = filled(*proxies).eval()
    before = memory.centers
    assert all(memory(*batch).values()) and memory.centers is before


def test_start_epoch():
    """Before it the loss across cameras is 0; even when it is all there is, it has a gradient."""
    (features, *labels), proxies = random_batch()
    memory = filled(*proxies, start_epoch=2, intra_weight=0.0)
    for epoch in range(4):
        memory.set_epoch(epoch)
        features.grad = None
        losses = memory(features.requires_grad_(), *labels)
        sum(losses.values()).backward()
        assert bool(losses['loss_inter']) == bool(features.grad.any()) == (epoch >= 2)


def test_half_precision():
    """The losses are those of float32, whatever autocast would do."""
    (features, *labels), proxies = random_batch()
    memory, other = (filled(*proxies) for _ in range(2))
    features = features.bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        losses = memory(features, *labels)
    assert all(loss.dtype == torch.float32 and loss.ndim == 0 for loss in losses.values())
    torch.testing.assert_close(losses, other(features.float(), *labels), atol=0, rtol=0)


def test_gradient_is_that_of_the_proxies_of_its_time():
    (features, *labels), proxies = random_batch()
    memory, other = (filled(*proxies) for _ in range(2))
    features.requires_grad_()
    first = sum(memory(features, *labels).values())
    memory(features, *labels)
    expected = torch.autograd.grad(sum(other(features, *labels).values()), features)[0]
    assert torch.equal(torch.autograd.grad(first, features)[0], expected)
    assert not memory.centers.requires_grad


def test_nothing_waits_for_the_device():
    """No value is read off the device."""
    batch, proxies = random_batch()
    memory = filled(*proxies)
    with torch.profiler.profile() as profile:
        memory(*batch)
    names = {event.name for event in profile.events()}
    assert {'aten::topk', 'aten::index_put_'} <= names
    assert not names & {'aten::_local_scalar_dense', 'aten::nonzero'}


def test_state():
    batch, proxies = random_batch()
    memory, other = filled(*proxies), CameraMemory()
    memory(*batch)
    state = {name: value.clone() for name, value in memory.state().items()}
    assert sorted(state) == ['cameras', 'centers', 'clusters'] and not memory.state_dict()
    other.load_state(state)
    other.set_epoch(5)
    expected, found = memory(*batch), other(*batch)
    torch.testing.assert_close(found, expected, atol=0, rtol=0)
    for name, value in memory.state().items():
        assert torch.equal(other.state()[name], value)


def test_what_is_refused():
    with pytest.raises(ValueError, match="inter_loss is 'o2cap', expected 'cap' or 'pplr'"):
        CameraMemory(inter_loss='o2cap')


PROGRAM = """
from types import SimpleNamespace

import torch
from mmengine.dist import get_rank

from passreid.models import CameraMemory
from passreid.utils import close_process_group, init_cpu_process_group

init_cpu_process_group('pytorch')
given = torch.load('given.pth', weights_only=True)
for name in ('cap', 'pplr'):
    memory = CameraMemory(inter_loss=name, start_epoch=0)
    memory.set_proxies(*given['proxies'])
    features, *labels = (values.chunk(2)[get_rank()] for values in given['batch'])
    losses = memory(features.requires_grad_(), *labels)
    sum(losses.values()).backward()
    seen = dict(losses=losses, grad=features.grad, centers=memory.centers)
    torch.save(seen, f'{name}_{get_rank()}.pth')
close_process_group(SimpleNamespace(model=None))
"""


def test_two_processes_equal_one(tmp_path):
    """Each has half of the images, the first none of camera 3; gradients are averaged."""
    batch, proxies = random_batch()
    batch[2][:20] %= 3
    torch.save(dict(batch=batch, proxies=proxies), tmp_path / 'given.pth')
    run_in_processes(PROGRAM, tmp_path)
    for name in ('cap', 'pplr'):
        memory = filled(*proxies, inter_loss=name)
        features = batch[0].clone().requires_grad_()
        losses = memory(features, *batch[1:])
        sum(losses.values()).backward()
        both = [torch.load(tmp_path / f'{name}_{rank}.pth') for rank in range(2)]
        for key, loss in losses.items():
            mean = (both[0]['losses'][key] + both[1]['losses'][key]) / 2
            torch.testing.assert_close(mean, loss, atol=1e-5, rtol=1e-6)
        grad = torch.cat([seen['grad'] for seen in both]) / 2
        torch.testing.assert_close(grad, features.grad, atol=1e-6, rtol=1e-5)
        for seen in both:
            torch.testing.assert_close(seen['centers'], memory.centers, atol=1e-6, rtol=0)
        assert torch.equal(both[0]['centers'], both[1]['centers'])


def test_unknown_cameras_add_nothing():
    memory = CameraMemory(start_epoch=0)
    memory.set_proxies(*map(torch.from_numpy, camera_proxies(np.eye(4), [0, 0, 1, 1], [-1] * 4)))
    features = torch.rand(3, 4, requires_grad=True)
    losses = memory(features, torch.tensor([0, 1, -1]), torch.full((3,), -1))
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0, 0] and not features.grad.any()
