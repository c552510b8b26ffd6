import copy
from functools import reduce
from operator import getitem

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from plain_vits import without
from processes import assert_equal
from tiny_models import people_batch, people_model
from torch import nn
from torch.nn import functional as F

from passreid.models import ClusterContrast
from passreid.models.converters import from_pass_checkpoint

VARIANTS = ['cat_multi', 'cat_single', 'mean_multi', 'mean_single']


class Given(nn.Module):
    """A backbone whose tokens are its inputs."""

    def forward(self, inputs):
        return (inputs,)


def on_tokens(variant='cat_multi'):
    fusion, _, number = variant.partition('_')
    options = dict(fusion=fusion, multi_neck=number == 'multi', normalize=True)
    neck = dict(type='BNNeck', in_channels=32, **options)
    return ClusterContrast(Given(), neck, dict(type='ClusterMemory'))


def samples(places, labels=None):
    """Make samples of the images at these places of the data set."""
    labels = labels or [0] * len(places)
    return [
        DataSample(metainfo=dict(sample_idx=place)).set_gt_label(label)
        for place, label in zip(places, labels, strict=True)
    ]


def batch(places):
    return dict(inputs=people_batch(len(places)), data_samples=samples(places))


@pytest.mark.parametrize('variant', VARIANTS)
def test_recorded_features(reference, variant):
    recorded = reference('cluster')
    model = on_tokens(variant)
    authors = without(f'fusion/{variant}/sd/', recorded)
    model.load_state_dict(from_pass_checkpoint(authors, 'usl'), strict=True)
    tokens = recorded['fusion/tokens']
    features = model.extract_feat(tokens)
    torch.testing.assert_close(features, recorded[f'fusion/{variant}/train'], atol=2e-5, rtol=0)
    predictions = model.eval().predict(tokens, samples(range(12)))
    found = torch.stack([sample.feature for sample in predictions])
    torch.testing.assert_close(found, recorded[f'fusion/{variant}/eval'], atol=2e-5, rtol=0)


def test_features_before_and_behind_the_neck():
    model, data = people_model('cluster'), batch([4, 2, 0])
    predictions = model.test_step(data)
    assert [sample.sample_idx for sample in predictions] == [4, 2, 0]
    inputs = model.data_preprocessor(data)['inputs']
    found = torch.stack([sample.feature for sample in predictions])
    torch.testing.assert_close(found, model(inputs, mode='tensor'))
    tokens = model.extract_feat(inputs, stage='backbone')[-1]
    assert tokens.shape == (3, 4, 16)
    torch.testing.assert_close(found, model.neck(tokens))


def test_labels_are_those_of_the_clustering(reference):
    """By the place of an image in the data set; what its sample says of its identity is ignored."""
    tokens = reference('cluster')['fusion/tokens'][:6]
    labels = torch.tensor([2, -1, 0, 1, -1, 2, 0, 1])
    places = [5, 2, 3, 0, 6, 7]
    centers = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))

    def loss(gt_labels):
        model = on_tokens()
        model.set_pseudo_labels(labels, centers)
        return model(tokens, samples(places, gt_labels), mode='loss'), model

    (found, model), (other, _) = loss([0] * 6), loss([7, 1, 5, 2, 9, 3])
    assert found.keys() == {'loss'} and torch.equal(found['loss'], other['loss'])
    features = F.normalize(on_tokens().neck(tokens), dim=1)
    scores = features @ F.normalize(centers, dim=1).T / 0.05
    expected = F.cross_entropy(scores, torch.tensor([2, 0, 1, 2, 0, 1]))
    torch.testing.assert_close(found['loss'], expected, atol=1e-5, rtol=0)
    assert not torch.allclose(model.memory.centers, F.normalize(centers, dim=1))


def test_it_learns_a_batch_by_heart():
    model, data = people_model('cluster'), batch(range(8))
    model.train()
    model.set_pseudo_labels(torch.arange(8) // 4, torch.randn(2, 32))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    first, *_, last = [model.train_step(data, wrapper)['loss'].item() for _ in range(40)]
    assert last < 0.05 < first


def test_without_labels_there_is_no_training():
    with pytest.raises(RuntimeError, match='PseudoLabelHook'):
        on_tokens().loss(torch.zeros(2, 4, 32), samples([0, 1]))


def refined():
    """A model with everything that is off by default, and tokens of 12 images."""
    torch.manual_seed(0)
    neck = dict(type='BNNeck', in_channels=8, multi_neck=False, normalize=True)
    model = ClusterContrast(
        Given(),
        neck,
        dict(type='ClusterMemory'),
        camera_memory=dict(type='CameraMemory', start_epoch=0),
        part_refinement=dict(type='PartRefinement', in_channels=8),
    )
    proxies = torch.eye(6, 16), torch.arange(6) // 2, torch.arange(6) % 2
    parts = torch.randn(3, 3, 8), torch.rand(12, 3)
    model.set_pseudo_labels(torch.arange(12) % 3, torch.randn(3, 16), proxies, parts)
    return model, torch.randn(12, 4, 8)


def samples_of_cameras():
    return [DataSample(metainfo=dict(sample_idx=n, cam_id=n % 2)) for n in range(12)]


def test_losses_of_cameras_and_parts():
    model, tokens = refined()
    names = {'loss_global', 'loss_parts', 'loss_intra', 'loss_inter'}
    before = copy.deepcopy(model.pseudo_label_state())
    losses = model.eval().loss(tokens, samples_of_cameras())
    assert {*losses} == names and all(loss.item() > 0 for loss in losses.values())
    assert_equal(model.pseudo_label_state(), before)
    model.train().loss(tokens, samples_of_cameras())
    after = model.pseudo_label_state()
    for path in ('centers', 'camera_memory.centers', 'part_refinement.part_centers'):
        one, other = (reduce(getitem, path.split('.'), state) for state in (before, after))
        assert not torch.equal(one, other), path
    model.load_pseudo_label_state(before)
    assert_equal(model.pseudo_label_state(), before)
    with pytest.raises(ValueError, match='The run had no camera_memory'):
        model.load_pseudo_label_state({k: before[k] for k in ('labels', 'centers')})


def test_logits_are_of_full_precision():
    model, tokens = refined()
    plain = model.eval().loss(tokens, samples_of_cameras())
    with torch.autocast('cpu', torch.bfloat16):
        mixed = model.loss(tokens, samples_of_cameras())
    for name, value in plain.items():
        torch.testing.assert_close(mixed[name], value, msg=name)


def test_features_of_parts_are_for_clustering_alone():
    model, tokens = refined()
    assert model.eval().predict(tokens)[0].feature.shape == (16,)
    model.with_parts = True
    found = torch.stack([sample.feature for sample in model.predict(tokens)]).detach()
    own, *parts = model.split_features(found.numpy())
    np.testing.assert_array_equal(own, model.extract_feat(tokens).detach())
    expected = model.part_refinement.embed(tokens).detach()
    np.testing.assert_array_equal(np.stack(parts, axis=1), expected)
