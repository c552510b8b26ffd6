"""Damage of image files anywhere: the same picture, or an error with a name."""

import warnings

import numpy as np
import pytest
from hostile_images import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from passreid.datasets.bad_images import BadImageError
from passreid.datasets.transforms import LoadPersonImage

AREA = 'hostile input'
KINDS = {
    'JPEG': dict(kind='JPEG'),
    'progressive JPEG': dict(kind='JPEG', progressive=True),
    'PNG': dict(kind='PNG'),
    'BMP': dict(kind='BMP'),
    'WebP': dict(kind='WEBP'),
    'lossless WebP': dict(kind='WEBP', lossless=True),
    'TIFF': dict(kind='TIFF'),
    'compressed TIFF': dict(kind='TIFF', compression='tiff_lzw'),
}
BOUNDED, FULL = 60, 3000


def file_of(name):
    noise = np.random.default_rng(0).integers(0, 255, (8, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((24, 40), Image.Resampling.BICUBIC)
    return encode(picture, **KINDS[name])


def load(data):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return LoadPersonImage(max_pixels=100_000)({'img_path': 'a.jpg', 'img_bytes': data})['img']


def explore(strategy, check, full):
    """Check many examples and return how many."""
    seen = []

    @settings(
        max_examples=FULL if full else BOUNDED,
        deadline=None,
        database=None,
        derandomize=not full,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(example):
        seen.append(1)
        check(example)

    run()
    return len(seen)


@pytest.mark.parametrize('kind', KINDS)
def test_any_beginning_is_the_same_picture_or_an_error(kind, full, tried):
    data = file_of(kind)
    whole = load(data)

    def check(length):
        try:
            img = load(data[:length])
        except BadImageError as error:
            assert str(error).startswith('bad image a.jpg: ')
            return
        np.testing.assert_array_equal(img, whole)

    times = explore(st.integers(0, len(data) - 1), check, full)
    # The ends of a file are where decoders are lenient.
    for length in range(len(data) - 40, len(data)):
        check(length)
    tried(AREA, 'images truncated anywhere', 'same picture, or an error with a name', times + 40)


@pytest.mark.parametrize('kind', KINDS)
def test_changed_bytes_are_a_picture_or_an_error(kind, full, tried):
    data = file_of(kind)
    place = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))

    def check(changes):
        changed = bytearray(data)
        for index, value in changes:
            changed[index] = value
        try:
            img = load(bytes(changed))
        except BadImageError as error:
            assert str(error).startswith('bad image a.jpg: ')
            return
        assert (img.dtype, img.ndim, img.shape[2]) == (np.uint8, 3, 3)

    times = explore(st.lists(place, min_size=1, max_size=8), check, full)
    tried(AREA, 'images with changed bytes', 'a picture, or an error with a name', times)


def test_bytes_of_strangers(full, tried):
    starts = st.sampled_from([b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'RIFF', b'II*\0', b'BM'])

    def check(parts):
        with pytest.raises(BadImageError):
            load(parts[0] + parts[1])

    times = explore(st.tuples(starts, st.binary(max_size=200)), check, full)
    tried(AREA, 'random bytes as images', 'refused', times)
