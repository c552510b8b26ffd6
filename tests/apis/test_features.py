import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample

from passreid.apis.features import model_fingerprint, unit_features

SETTINGS = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[1.0, 2.0], erasing=dict(prob=0.5)),
    backbone=dict(type='PartViT', num_parts=3, drop_path_rate=0.1, init_cfg=dict(checkpoint='a')),
    head=dict(type='ReIDHead', fusion='cat', num_classes=None),
)
PIPELINE = [dict(type='LoadPersonImage'), dict(type='Resize', scale=(4, 8))]


class Model(BaseModel):
    """One of each kind of tensor."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2).to(dtype)
        self.norm = torch.nn.BatchNorm1d(2)
        torch.nn.init.constant_(self.linear.weight, 0.5)
        torch.nn.init.zeros_(self.linear.bias)
        self.register_buffer('nothing', torch.empty(0))

    def forward(self):
        raise NotImplementedError


def fingerprint(model=None, settings=SETTINGS, pipeline=PIPELINE, flip=False):
    return model_fingerprint(model or Model(), settings, pipeline, flip)


def changed(settings, *keys, value):
    """Return a copy with one entry replaced."""
    key, *rest = keys
    return dict(settings, **{key: changed(settings[key], *rest, value=value) if rest else value})


@pytest.mark.slow
def test_fingerprint_is_the_same_in_every_process():
    code = 'import test_features as test; print(test.fingerprint())'
    environment = dict(os.environ, PYTHONHASHSEED='7')
    environment['PYTHONPATH'] = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    other = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.split()[-1] == fingerprint()
    assert len(fingerprint()) == 32


@pytest.mark.parametrize('weight', ['linear.weight', 'linear.bias', 'norm.running_mean'])
def test_every_weight_counts(weight):
    model = Model()
    model.state_dict()[weight].flatten()[-1].add_(1e-7)
    assert fingerprint(model) != fingerprint()


@pytest.mark.parametrize(
    'other',
    [
        dict(settings=changed(SETTINGS, 'head', 'fusion', value='mean')),
        dict(settings=changed(SETTINGS, 'data_preprocessor', 'mean', value=[1.0, 3.0])),
        dict(settings=changed(SETTINGS, 'backbone', 'num_heads', value=4)),
        dict(pipeline=[PIPELINE[0], dict(type='Resize', scale=(8, 16))]),
        dict(pipeline=[dict(type=Model)]),
        dict(flip=True),
        dict(model=Model(torch.bfloat16)),
    ],
)
def test_settings_of_tests_count(other):
    assert fingerprint(**other) != fingerprint()


@pytest.mark.parametrize(
    'other',
    [
        dict(settings=changed(SETTINGS, 'backbone', 'init_cfg', value=None)),
        dict(settings=changed(SETTINGS, 'backbone', 'drop_path_rate', value=0.3)),
        dict(settings=changed(SETTINGS, 'data_preprocessor', 'erasing', value=None)),
        dict(settings=changed(SETTINGS, 'head', 'id_loss', value=dict(type='CrossEntropyLoss'))),
        dict(settings=dict(reversed(SETTINGS.items()))),
        dict(pipeline=[PIPELINE[0], dict(PIPELINE[1], meta_keys=('img_path',))]),
    ],
)
def test_settings_of_training_do_not(other):
    assert fingerprint(**other) == fingerprint()


def samples(*features):
    made = [DataSample(metainfo=dict(img_path=f'{n}.jpg')) for n in range(len(features))]
    for sample, feature in zip(made, features, strict=True):
        sample.feature = torch.tensor(feature)
    return made


def test_unit_features():
    features = unit_features(samples([3.0, 4.0], [0.0, -2.0], [0.0, 0.0]))
    np.testing.assert_allclose(features, [[0.6, 0.8], [0, -1], [0, 0]], rtol=1e-6)
    half = samples([3.0, 4.0])
    half[0].feature = half[0].feature.half()
    assert unit_features(half).dtype == features.dtype == np.float32


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_feature_that_is_not_finite(value):
    with pytest.raises(ValueError, match=r'1\.jpg'):
        unit_features(samples([1.0, 0.0], [1.0, value]))


def test_model_without_features():
    sample = DataSample(metainfo=dict(img_path='a.jpg')).set_pred_label(3)
    with pytest.raises(ValueError, match='"feature".*img_path, pred_label'):
        unit_features([sample])
