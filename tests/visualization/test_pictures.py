import base64

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from passreid.visualization import png_bytes, similarity_text, thumbnail_uri, time_text, write_png


@pytest.mark.parametrize(
    ('shape', 'expected'), [((512, 128), (256, 64)), ((40, 20), (40, 20)), ((999, 1), (256, 1))]
)
def test_size_of_thumbnails(tmp_path, shape, expected):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((*shape, 3), (10, 200, 30), np.uint8))
    uri = thumbnail_uri(str(tmp_path / 'a.png'))
    data = base64.b64decode(uri.removeprefix('data:image/jpeg;base64,'))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == expected
    np.testing.assert_allclose(image.mean((0, 1)), (10, 200, 30), atol=3)
    assert thumbnail_uri(str(tmp_path / 'missing.jpg')) is None


def test_figures_as_png(tmp_path, recwarn):
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, 'text \u4eba')
    path = tmp_path / 'new' / 'folder' / 'a.png'
    write_png(figure, str(path), 60)
    assert path.read_bytes() == png_bytes(figure, 60) == png_bytes(figure, 60)
    pixels = cv2.imread(str(path))
    assert pixels.shape == (60, 120, 3) and pixels.min() < 128
    assert not recwarn.list


def test_texts():
    texts = [time_text(time) for time in (3723.9, 100e6, 1e300)]
    assert texts == ['1:02:03', '1973-03-03 09:46:40', '1e+300 s']
    texts = [similarity_text(value) for value in (-0.2, 0.8999, 0.95, 0.99912, 1.0)]
    assert texts == ['-0.20', '0.90', '0.950', '0.9991', '1.0000']
