import os
import subprocess
import sys

import pytest
import torch
from mmengine.model import BaseModel

from passreid.apis.model_fingerprint import model_fingerprint

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
def test_same_in_every_process():
    code = 'import test_model_fingerprint as test; print(test.fingerprint())'
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(__file__), PYTHONHASHSEED='7')
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


def test_precision_counts():
    assert fingerprint(Model(torch.bfloat16)) != fingerprint()


@pytest.mark.parametrize(
    'settings',
    [
        changed(SETTINGS, 'head', 'fusion', value='mean'),
        changed(SETTINGS, 'data_preprocessor', 'mean', value=[1.0, 3.0]),
        changed(SETTINGS, 'backbone', 'num_heads', value=4),
    ],
)
def test_settings_count(settings):
    assert fingerprint(settings=settings) != fingerprint()


@pytest.mark.parametrize(
    'settings',
    [
        changed(SETTINGS, 'backbone', 'init_cfg', value=None),
        changed(SETTINGS, 'backbone', 'drop_path_rate', value=0.3),
        changed(SETTINGS, 'data_preprocessor', 'erasing', value=None),
        changed(SETTINGS, 'head', 'id_loss', value=dict(type='CrossEntropyLoss')),
        dict(reversed(SETTINGS.items())),
    ],
)
def test_settings_of_training_do_not(settings):
    assert fingerprint(settings=settings) == fingerprint()


def test_transforms_count():
    resized = [PIPELINE[0], dict(type='Resize', scale=(8, 16))]
    assert fingerprint(pipeline=resized) != fingerprint(pipeline=PIPELINE[:1]) != fingerprint()
    assert fingerprint(pipeline=[dict(type=Model)]) != fingerprint(pipeline=[dict(type=BaseModel)])
    packed = [*PIPELINE, dict(type='PackInputs', meta_keys=('img_path',))]
    assert fingerprint(pipeline=packed) == fingerprint(
        pipeline=[*PIPELINE, dict(type='PackInputs', meta_keys=())]
    )


def test_flip_counts():
    assert fingerprint(flip=True) != fingerprint()
