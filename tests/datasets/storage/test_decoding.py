import io

import cv2
import numpy as np
import pytest
from PIL import Image

from passreid.datasets.transforms import LoadPersonImage


def encode(image, kind, **kwargs):
    file = io.BytesIO()
    image.save(file, kind, **kwargs)
    return file.getvalue()


def load(data, **kwargs):
    return LoadPersonImage(**kwargs)({'img_path': 'crop.jpg', 'img_bytes': data})['img']


@pytest.fixture
def photo():
    """A smooth picture of 64x32 pixels, so that JPEG changes it little."""
    noise = np.random.default_rng(0).integers(0, 255, (8, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((32, 64), Image.Resampling.BICUBIC)


@pytest.fixture
def jpeg(photo):
    return encode(photo, 'JPEG')


def test_fields(jpeg, tmp_path):
    path = tmp_path / 'crop.jpg'
    path.write_bytes(jpeg)
    results = LoadPersonImage()({'img_path': str(path), 'gt_label': 3})
    assert results['img'].dtype == np.uint8
    assert results['img_shape'] == results['ori_shape'] == (64, 32)
    np.testing.assert_array_equal(results['img'], cv2.imread(str(path)))
    assert results['gt_label'] == 3


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('padding', [b'', b'garbage'], ids=['opencv', 'pillow'])
def test_exif_rotation_is_obeyed_on_both_ways(photo, orientation, padding, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(photo, 'JPEG', exif=exif) + padding
    used = []
    imdecode = cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: used.append(1) or imdecode(*args))
    img = load(data)
    assert bool(used) == (padding == b'')
    upright = np.asarray(photo)[..., ::-1].astype(int)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, -1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright),
    }[orientation]
    assert img.shape == turned.shape
    # JPEG changes the colours by a few levels; a wrong turn changes them by dozens.
    assert abs(img - turned).mean() < 6
