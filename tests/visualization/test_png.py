import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from passreid.visualization import png_bytes, write_png


@pytest.fixture
def figure():
    drawn = Figure(figsize=(2, 1))
    drawn.text(0.1, 0.5, 'text')
    return drawn


def test_size_follows_the_resolution(figure):
    for dpi in (50, 80):
        pixels = cv2.imdecode(np.frombuffer(png_bytes(figure, dpi), np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape == (dpi, 2 * dpi, 3)
        assert pixels.min() < 128


def test_same_figure_same_bytes(figure):
    assert png_bytes(figure) == png_bytes(figure)


def test_file_holds_the_bytes_and_nothing_is_left_beside_it(figure, tmp_path):
    path = tmp_path / 'new' / 'folder' / 'a.png'
    write_png(figure, str(path), 60)
    assert path.read_bytes() == png_bytes(figure, 60)
    assert list(path.parent.iterdir()) == [path]


def test_failure_leaves_the_old_file(figure, tmp_path, monkeypatch):
    path = tmp_path / 'a.png'
    path.write_bytes(b'old')

    def fail(*args, **kwargs):
        raise RuntimeError('cannot draw')

    monkeypatch.setattr(figure, 'savefig', fail)
    with pytest.raises(RuntimeError, match='cannot draw'):
        write_png(figure, path)
    assert path.read_bytes() == b'old'
