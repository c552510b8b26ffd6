import base64

import cv2
import numpy as np
import pytest

from passreid.visualization import thumbnail_uri


def decode(uri):
    data = base64.b64decode(uri.removeprefix('data:image/jpeg;base64,'))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [((512, 128), (256, 64)), ((256, 100), (256, 100)), ((40, 20), (40, 20)), ((999, 1), (256, 1))],
)
def test_size(tmp_path, shape, expected):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((*shape, 3), (10, 200, 30), np.uint8))
    image = decode(thumbnail_uri(str(tmp_path / 'a.png')))
    assert image.shape[:2] == expected
    np.testing.assert_allclose(image.mean((0, 1)), (10, 200, 30), atol=3)


def test_height(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((64, 32, 3), np.uint8))
    assert decode(thumbnail_uri(str(tmp_path / 'a.png'), 16)).shape[:2] == (16, 8)


@pytest.mark.parametrize('data', [None, b'', b'no image'])
def test_what_cannot_be_read(tmp_path, data):
    if data is not None:
        (tmp_path / 'a.jpg').write_bytes(data)
    assert thumbnail_uri(str(tmp_path / 'a.jpg')) is None
