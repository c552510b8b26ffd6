"""The transforms of supervised training come from mmcv and mmpretrain; what they must do."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from passreid.datasets import FolderReID

META = ('img_path', 'cam_id', 'is_query', 'sample_idx')
LOAD = {'type': 'LoadPersonImage'}
FLIP = {'type': 'RandomFlip', 'prob': 0.5, 'direction': 'horizontal'}
CROP = {'type': 'RandomCrop', 'crop_size': (32, 16), 'padding': 10}
PACK = {'type': 'PackInputs', 'meta_keys': META}


def resize(interpolation):
    return {
        'type': 'Resize',
        'scale': (16, 32),
        'interpolation': interpolation,
        'backend': 'pillow',
    }


TRAIN = [LOAD, resize('bicubic'), FLIP, CROP, PACK]


@pytest.fixture
def root(tmp_path):
    """Crops of several sizes, larger and smaller than the input, without black pixels."""
    generator = np.random.default_rng(0)
    for number, shape in enumerate([(128, 48, 3), (40, 20, 3), (300, 33, 3)] * 10):
        (tmp_path / f'{number % 5}').mkdir(exist_ok=True)
        pixels = generator.integers(60, 256, shape, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'{number % 5}' / f'{number:02d}.png'), pixels)
    return tmp_path


def build(root, pipeline, **kwargs):
    return FolderReID(str(root), pipeline=pipeline, pid_from='folder', **kwargs)


def pillow_resize(path, method):
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB').resize((16, 32), method)).astype(int)


@pytest.mark.parametrize(
    ('interpolation', 'method'),
    [('bicubic', Image.Resampling.BICUBIC), ('bilinear', Image.Resampling.BILINEAR)],
)
def test_resize_is_that_of_pillow(root, interpolation, method):
    dataset = build(root, [LOAD, resize(interpolation)])
    for idx in range(6):
        expected = pillow_resize(dataset.image_name(idx), method)
        np.testing.assert_array_equal(dataset[idx]['img'][..., ::-1], expected)


def test_train_pixels_are_flipped_padded_and_cropped(root):
    """Every image is a window of the padded image, the padding black before normalisation."""
    dataset = build(root, TRAIN)
    flips, tops, lefts = [], [], []
    for epoch in range(4):
        dataset.set_epoch(epoch)
        for idx in range(len(dataset)):
            packed = dataset[idx]
            assert packed['inputs'].dtype == torch.uint8
            got = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
            expected = pillow_resize(dataset.image_name(idx), Image.Resampling.BICUBIC)
            flip, top, left = find_window(got, expected)
            flips.append(flip)
            tops.append(top)
            lefts.append(left)
    assert 0.35 < np.mean(flips) < 0.65
    # Offsets from 0 to 20 on both axes, apart from each other.
    for offsets in (tops, lefts):
        assert min(offsets) == 0
        assert max(offsets) == 20
        assert abs(np.mean(offsets) - 10) < 2
    assert abs(np.corrcoef(tops, lefts)[0, 1]) < 0.25


def find_window(got, image):
    """Return flip, top and left of the window of the padded image that equals ``got``."""
    found = []
    for flip in (False, True):
        padded = np.pad(image[:, ::-1] if flip else image, ((10, 10), (10, 10), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, got.shape)[:, :, 0]
        found += [(flip, *place) for place in np.argwhere((windows == got).all(axis=(2, 3, 4)))]
    (window,) = found
    return window


def test_packed_sample(root):
    sample = build(root, TRAIN)[7]['data_samples']
    assert sample.gt_label.tolist() == [1]
    assert sample.img_path == str(root / '1' / '06.png')
    assert (sample.cam_id, sample.is_query, sample.sample_idx) == (-1, False, 7)
    assert set(sample.metainfo_keys()) == set(META)
