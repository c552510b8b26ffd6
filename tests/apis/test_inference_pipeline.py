import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample

from passreid.apis.inference_pipeline import (
    inference_pipeline,
    list_inputs,
    load_batches,
    model_fingerprint,
    unit_features,
)
from passreid.registry import TRANSFORMS
from passreid.utils import config_path

IMAGE = np.full((8, 4, 3), (10, 20, 30), np.uint8)
SETTINGS = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[1.0, 2.0], erasing=dict(prob=0.5)),
    backbone=dict(type='PartViT', num_parts=3, drop_path_rate=0.1, init_cfg=dict(checkpoint='a')),
    head=dict(type='ReIDHead', fusion='cat', num_classes=None),
)
PIPELINE = [dict(type='LoadPersonImage'), dict(type='Resize', scale=(4, 8))]


def resize(cfg):
    (step,) = (step for step in inference_pipeline(cfg) if step['type'] == 'Resize')
    return step['scale'], step['interpolation']


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('supervised/vit-s16_market1501-384x128.py', ((128, 384), 'bilinear')),
        # Several test sets.
        ('supervised/vit-s16_market1501-256x128_cross-domain.py', ((128, 256), 'bilinear')),
        # No test set, but the pipeline that clusters.
        ('usl/usl_vit-s16_folder.py', ((128, 256), 'bicubic')),
        # Pre-training with and without a validation.
        ('pass/pass_vit-t8-watched_synthetic.py', ((32, 64), 'bilinear')),
        ('pass/pass_vit-s16_lup.py', ((128, 256), 'bilinear')),
    ],
)
def test_of_our_configs(name, expected):
    cfg = Config.fromfile(config_path(name))
    assert resize(cfg) == expected
    types = [step['type'] for step in inference_pipeline(cfg)]
    assert (types[0], types[-1]) == ('LoadPersonImage', 'PackInputs')


def test_config_that_says_nothing():
    with pytest.raises(ValueError, match=r'no test_dataloader.*and no model\.backbone\.img_size'):
        inference_pipeline(Config(dict(model=dict(backbone={}))))


@pytest.fixture
def pipeline():
    steps = [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(4, 8), backend='pillow'),
        dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
    ]
    return Compose([TRANSFORMS.build(step) for step in steps])


@pytest.fixture
def folder(tmp_path):
    """Three images of 8x4 pixels whose grey values are 50, 100 and 150."""
    for value, name in ((100, 'b.png'), (50, 'a.png'), (150, 'c/d.png')):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 4, 3), value, np.uint8))
    (tmp_path / 'images' / 'notes.txt').touch()
    return tmp_path / 'images'


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        ([], 'empty'),
        (IMAGE[..., 0], r'\(8, 4\)'),
        (IMAGE.transpose(2, 0, 1), r'\(3, 8, 4\)'),
        (IMAGE / 255, 'float64'),
        (17, 'int'),
        ([IMAGE, None], 'NoneType'),
    ],
)
def test_bad_inputs(inputs, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        list_inputs(inputs)
    with pytest.raises(ValueError, match=f'no images in the folder {tmp_path}'):
        list_inputs(tmp_path)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_batches_in_order(folder, pipeline, num_workers):
    (folder / 'torn.jpg').write_bytes(b'no image')
    names = ['a.png', 'torn.jpg', 'b.png', 'c/d.png', 'gone.png', 'a.png']
    inputs = [str(folder / name) for name in names]
    inputs[3] = IMAGE
    batches = list(load_batches(inputs, pipeline, 2, num_workers))
    assert [batch.indices for batch in batches] == [[0], [2, 3], [5]]
    assert [list(batch.unreadable) for batch in batches] == [[1], [], [4]]
    torn, gone = batches[0].unreadable[1], batches[2].unreadable[4]
    assert torn.path == inputs[1]
    assert str(gone) == f'bad image {inputs[4]}: No such file or directory'
    values = [batch.data['inputs'][:, 0, 0, 0].tolist() for batch in batches]
    assert values == [[50], [100, 10], [50]]
    # An array is BGR, as files are read.
    assert batches[1].data['inputs'][1, :, 0, 0].tolist() == [10, 20, 30]
    samples = [sample for batch in batches for sample in batch.data['data_samples']]
    assert [sample.img_path for sample in samples] == [inputs[0], inputs[2], '', inputs[5]]


class Model(BaseModel):
    """One of each kind of tensor."""

    def __init__(self, dtype=torch.float32, weight=0.5):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2).to(dtype)
        self.norm = torch.nn.BatchNorm1d(2)
        torch.nn.init.constant_(self.linear.weight, weight)
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


def test_fingerprint_is_the_same_in_every_process():
    assert fingerprint() == '44301adf6f3634ba3a9dce3265ff8ebd'


@pytest.mark.parametrize(
    ('same', 'other'),
    [
        (False, dict(settings=changed(SETTINGS, 'head', 'fusion', value='mean'))),
        (False, dict(settings=changed(SETTINGS, 'data_preprocessor', 'mean', value=[1.0, 3.0]))),
        (False, dict(settings=changed(SETTINGS, 'backbone', 'num_heads', value=4))),
        (False, dict(pipeline=[PIPELINE[0], dict(type='Resize', scale=(8, 16))])),
        (False, dict(pipeline=[dict(type=Model)])),
        (False, dict(flip=True)),
        (False, dict(model=Model(torch.bfloat16))),
        (False, dict(model=Model(weight=0.5 + 1e-7))),
        (True, dict(settings=changed(SETTINGS, 'backbone', 'init_cfg', value=None))),
        (True, dict(settings=changed(SETTINGS, 'backbone', 'drop_path_rate', value=0.3))),
        (True, dict(settings=changed(SETTINGS, 'data_preprocessor', 'erasing', value=None))),
        (True, dict(settings=changed(SETTINGS, 'head', 'id_loss', value=dict(type='CE')))),
        (True, dict(settings=changed(SETTINGS, 'head', 'similarity_weight', value=1.0))),
        (True, dict(settings=dict(reversed(SETTINGS.items())))),
        (True, dict(pipeline=[PIPELINE[0], dict(PIPELINE[1], meta_keys=('img_path',))])),
    ],
)
def test_settings_of_tests_count_and_those_of_training_do_not(same, other):
    assert (fingerprint(**other) == fingerprint()) == same


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
    with pytest.raises(ValueError, match=r'1\.jpg'):
        unit_features(samples([1.0, 0.0], [1.0, float('inf')]))
    with pytest.raises(ValueError, match='"feature".*img_path.*pred_label'):
        unit_features([DataSample(metainfo=dict(img_path='a.jpg')).set_pred_label(3)])
