"""The transforms of supervised training come from mmcv and mmpretrain; what they must do."""

import cv2
import numpy as np
from PIL import Image

from passreid.datasets import FolderReID

META = ('img_path', 'cam_id', 'is_query', 'sample_idx')
TRAIN = [
    {'type': 'LoadPersonImage'},
    {'type': 'Resize', 'scale': (16, 32), 'interpolation': 'bicubic', 'backend': 'pillow'},
    {'type': 'RandomFlip', 'prob': 0.5, 'direction': 'horizontal'},
    {'type': 'RandomCrop', 'crop_size': (32, 16), 'padding': 10},
    {'type': 'PackInputs', 'meta_keys': META},
]


def find_window(got, image):
    """Return flip, top and left of the window of the padded image that equals ``got``."""
    found = []
    for flip in (False, True):
        padded = np.pad(image[:, ::-1] if flip else image, ((10, 10), (10, 10), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, got.shape)[:, :, 0]
        found += [(flip, *place) for place in np.argwhere((windows == got).all(axis=(2, 3, 4)))]
    (window,) = found
    return window


def test_train_pixels_are_resized_as_by_pillow_flipped_padded_and_cropped(tmp_path):
    """Every image is a window of the padded image, the padding black before normalisation."""
    generator = np.random.default_rng(0)
    for number, shape in enumerate([(128, 48, 3), (40, 20, 3), (99, 33, 3)] * 10):
        # No black pixels.
        pixels = generator.integers(60, 256, shape, dtype=np.uint8)
        (tmp_path / f'{number % 5}').mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f'{number % 5}' / f'{number:02d}.png'), pixels)
    dataset = FolderReID(str(tmp_path), pipeline=TRAIN, pid_from='folder')
    windows = []
    for epoch in range(4):
        dataset.set_epoch(epoch)
        for idx, packed in enumerate(dataset):
            with Image.open(dataset.image_name(idx)) as image:
                expected = np.asarray(image.resize((16, 32), Image.Resampling.BICUBIC))
            got = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
            windows.append(find_window(got, expected))
            assert set(packed['data_samples'].metainfo_keys()) == set(META)
    flips, *offsets = np.array(windows).T
    assert 0.35 < np.mean(flips) < 0.65
    # Offsets from 0 to 20 on both axes, apart from each other.
    for offset in offsets:
        assert (min(offset), max(offset)) == (0, 20) and abs(np.mean(offset) - 10) < 2
    assert abs(np.corrcoef(offsets)[0, 1]) < 0.25
