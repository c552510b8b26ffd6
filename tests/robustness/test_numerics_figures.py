"""Losses, metrics and clusters where features or settings are extreme."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from torch.nn import functional as F
from toy_models import people

from passreid.clustering import cluster_pseudo_labels, jaccard_distance
from passreid.evaluation import ReIDMetric
from passreid.models import ClusterMemory, PASSHead, PASSNeck, ReIDHead

OPTIONS = {
    'plain': {},
    'normalised': dict(normalize=True),
    'cosine': dict(metric='cosine'),
    're-ranked': dict(rerank=dict(k1=3, k2=2)),
    'expanded': dict(query_expansion=dict(k=2, alpha=1)),
}


def zeros_of(sample):
    return torch.zeros_like(sample['feature'])


@pytest.mark.parametrize('which', ['all', 'a query', 'a gallery image'])
@pytest.mark.parametrize('name', OPTIONS)
def test_features_of_zeros_are_ranked(tried, name, which):
    samples = people()
    chosen = {'all': range(23), 'a query': [0], 'a gallery image': [20]}[which]
    for index in chosen:
        samples[index]['feature'] = zeros_of(samples[index])
    metric = ReIDMetric(topk=(1, 5), **OPTIONS[name])
    metric.process(None, samples)
    figures = metric.evaluate(len(samples))
    assert all(0 <= value <= 100 for value in figures.values())
    tried('numerics', f'{name} ranking, features of {which} zero', 'figures within 0 and 100')


@pytest.mark.parametrize('name', OPTIONS)
@pytest.mark.parametrize('factor', [1e-8, 1e-3, 1e6, 1e15])
def test_figures_do_not_depend_on_the_length_of_features(tried, name, factor):
    figures = []
    for scale in (1.0, factor):
        samples = people()
        for sample in samples:
            sample['feature'] = scale * sample['feature']
        metric = ReIDMetric(topk=(1, 5), **OPTIONS[name])
        metric.process(None, samples)
        figures.append(metric.evaluate(len(samples)))
    assert figures[1] == pytest.approx(figures[0], abs=1e-4)
    tried('numerics', f'{name} ranking, features times {factor:g}', 'figures the same')


@pytest.mark.parametrize('kind', ['zeros', 'equal', 'tiny', 'huge'])
def test_clusters_of_strange_features(tried, kind):
    generator = np.random.default_rng(0)
    features = {
        'zeros': np.zeros((40, 8)),
        'equal': np.ones((40, 8)),
        'tiny': 1e-20 * generator.normal(size=(40, 8)),
        'huge': 1e15 * generator.normal(size=(40, 8)),
    }[kind].astype(np.float32)
    distances = jaccard_distance(features, k1=6, k2=2)
    assert np.isfinite(distances.data).all()
    assert distances.data.min() >= 0 and distances.data.max() <= 1
    labels = cluster_pseudo_labels(features, k1=6, k2=2)
    assert labels.shape == (40,)
    tried('numerics', f'clusters of {kind} features', 'distances within 0 and 1')


def samples_of(labels):
    return [DataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('kind', ['zeros', 'equal', 'huge'])
@pytest.mark.parametrize('loss', ['CrossEntropyLoss', 'CircleLoss', 'ArcFaceLoss', 'CosFaceLoss'])
def test_losses_of_strange_tokens(tried, loss, kind):
    """Triplets at distance zero as well: the gradient is finite."""
    torch.manual_seed(0)
    tokens = {
        'zeros': torch.zeros(4, 4, 16),
        'equal': torch.randn(1, 4, 16).expand(4, -1, -1),
        'huge': 1e10 * torch.randn(4, 4, 16),
    }[kind].clone()
    head = ReIDHead(16, num_classes=3, id_loss=dict(type=loss))
    tokens.requires_grad_()
    losses = head.loss((tokens,), samples_of([0, 0, 1, 1]))
    (losses['loss_id'] + losses['loss_triplet']).backward()
    assert all(value.isfinite() for value in losses.values())
    assert tokens.grad.isfinite().all()
    assert all(value.grad.isfinite().all() for value in head.parameters() if value.requires_grad)
    tried('numerics', f'{loss} and triplets of {kind} tokens', 'losses and gradients finite')


@pytest.mark.parametrize('temperature', [1e-3, 0.05, 1e4])
def test_temperatures_of_the_memory(tried, temperature):
    torch.manual_seed(0)
    memory = ClusterMemory(temperature=temperature)
    memory.set_centres(torch.randn(3, 8))
    features = torch.randn(6, 8, requires_grad=True)
    with torch.autocast('cpu', torch.float16):
        loss = memory(features.half(), torch.tensor([0, 1, 2, 0, 1, 2]))
    loss.backward()
    assert loss.isfinite() and features.grad.isfinite().all()
    torch.testing.assert_close(memory.centres.norm(dim=1), torch.ones(3))
    tried('numerics', f'cluster contrast, temperature {temperature:g}', 'loss and gradient finite')


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('student', [1e-2, 0.1, 100.0])
@pytest.mark.parametrize('teacher', [1e-6, 1e-3, 0.04, 100.0])
def test_temperatures_of_pre_training(tried, dtype, student, teacher):
    """As near to float32 as the rounded scores allow, gradients of all projectors finite."""
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        neck = PASSNeck(16, hidden_channels=24, bottleneck_channels=8, out_channels=32)
        neck.init_weights()
        head = PASSHead(32, student_temperature=student, teacher_temperature=teacher)
        tokens = [torch.randn(20, 16) for _ in range(4)]
        prototypes = [layer.weight for layer in neck.prototypes]
        with torch.autocast('cpu', dtype, enabled=enabled and dtype != torch.float32):
            own, others = neck(tokens), neck([rows[:8] for rows in tokens])
            losses = head.loss(own, prototypes, [rows.detach() for rows in others], prototypes)
        (losses['loss_cls'] + losses['loss_part']).backward()
        head.update_centres()
        assert all(value.isfinite() for value in losses.values())
        assert all(value.grad.isfinite().all() for value in neck.parameters())
        assert head.centres.isfinite().all()
        assert all(value.dtype == torch.float32 for value in losses.values())
        found.append(losses)
    for name in ('loss_cls', 'loss_part'):
        # Sharp assignments may choose another prototype of nearly the same score.
        assert abs(found[1][name] / found[0][name] - 1) < 0.02
    name = str(dtype).removeprefix('torch.')
    tried('numerics', f'pre-training, temperatures {student:g} and {teacher:g}, {name}', 'finite')


def test_unit_features_of_zeros_stay_zeros():
    features = ReIDHead(16)((torch.zeros(2, 4, 16),))
    assert torch.equal(features, F.normalize(torch.zeros(2, 32)))
    assert torch.equal(features, torch.zeros(2, 32))
