import io

import numpy as np
import pytest
from PIL import Image

from passreid.datasets.transforms import LoadPersonImage


@pytest.fixture
def photo():
    """A smooth picture of 64x32 pixels, so that JPEG changes it little."""
    noise = np.random.default_rng(0).integers(0, 255, (8, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((32, 64), Image.Resampling.BICUBIC)


# What lies behind the end marker is read by Pillow, what does not by OpenCV.
@pytest.mark.parametrize('padding', [b'', b'garbage'], ids=['opencv', 'pillow'])
def test_exif_rotation_is_obeyed_on_both_ways(photo, padding):
    upright = np.asarray(photo)[..., ::-1].astype(int)
    across = upright.swapaxes(0, 1)
    turned = [upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1], across]
    turned += [np.rot90(upright, -1), across[::-1, ::-1], np.rot90(upright)]
    for orientation, expected in enumerate(turned, 1):
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        photo.save(file, 'JPEG', exif=exif)
        results = {'img_path': 'crop.jpg', 'img_bytes': file.getvalue() + padding}
        img = LoadPersonImage()(results)['img']
        assert img.shape == expected.shape
        # JPEG changes the colors by a few levels; a wrong turn changes them by dozens.
        assert abs(img - expected).mean() < 6
