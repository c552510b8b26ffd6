import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from passreid.datasets.storage.bad_images import BadImageError
from passreid.datasets.transforms import LoadPersonImage

ORANGE = (200, 100, 50)


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


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'WEBP'])
def test_lossless_formats_are_exact(photo, kind):
    img = load(encode(photo, kind, **({'lossless': True} if kind == 'WEBP' else {})))
    np.testing.assert_array_equal(img[..., ::-1], np.asarray(photo))


@pytest.mark.parametrize(
    ('mode', 'kind'),
    [('RGB', 'PNG'), ('RGBA', 'PNG'), ('P', 'PNG'), ('CMYK', 'TIFF'), ('CMYK', 'JPEG')],
)
def test_colors(mode, kind):
    image = Image.new('RGB', (16, 16), ORANGE)
    image = image.quantize(8) if mode == 'P' else image.convert(mode)
    img = load(encode(image, kind, **({'quality': 95} if kind == 'JPEG' else {})))
    assert (img.shape, img.dtype) == ((16, 16, 3), np.uint8)
    assert abs(img.reshape(-1, 3) - np.array(ORANGE[::-1])).max() <= 4


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
@pytest.mark.parametrize('mode', ['L', 'LA', '1'])
def test_grey_has_three_equal_channels(mode, kind):
    image = Image.new('L', (16, 16), 255).convert(mode)
    if kind == 'JPEG':
        image = image.convert('L')
    img = load(encode(image, kind))
    np.testing.assert_array_equal(img, np.full((16, 16, 3), 255, np.uint8))


@pytest.mark.parametrize('shape', [(8, 8, 1), (8, 8, 3)], ids=['grey', 'color'])
def test_16_bits_keep_their_high_byte(shape):
    values = np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)
    img = load(cv2.imencode('.png', values)[1].tobytes())
    np.testing.assert_array_equal(img, np.broadcast_to(values >> 8, (8, 8, 3)))


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


def with_size(jpeg, height, width):
    place = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:place] + struct.pack('>HH', height, width) + jpeg[place + 4 :]


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (lambda jpeg: b'', 'the file is empty'),
        (lambda jpeg: b'<html>not found</html>', 'not an image'),
        (lambda jpeg: jpeg[:-20], 'truncated'),
        (lambda jpeg: jpeg[:-20] + bytes(50), 'truncated'),
        (lambda jpeg: jpeg[:60], ''),
        (lambda jpeg: with_size(jpeg, 8000, 8000), '8000x8000 pixels; allowed are 1 to 50000000'),
        (lambda jpeg: with_size(jpeg, 60000, 60000), 'decompression bomb'),
        (lambda jpeg: with_size(jpeg, 0, 32), ''),
        (lambda jpeg: encode(Image.new('F', (4, 4)), 'TIFF'), 'floating-point'),
        (lambda jpeg: encode(Image.new('I', (4, 4), 1 << 20), 'TIFF'), '16 bits'),
        (lambda jpeg: encode(Image.fromarray(np.full((4, 4), 200, np.int32)), 'TIFF'), '16 bits'),
        (lambda jpeg: encode(Image.new('RGB', (64, 64)), 'PNG')[:-30], ''),
        (lambda jpeg: encode(Image.new('RGB', (4, 4)), 'EPS'), 'not an image'),
    ],
)
def test_broken_files_are_named_with_the_reason(jpeg, damage, reason):
    with pytest.raises(BadImageError, match=rf'^bad image crop\.jpg: .*{reason}'):
        load(damage(jpeg))


def test_missing_file_and_folder(tmp_path):
    for path, reason in ((tmp_path / 'a.jpg', 'No such file'), (tmp_path, 'not a regular')):
        with pytest.raises(BadImageError, match=f'{path}: {reason}'):
            LoadPersonImage()({'img_path': str(path)})


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'zero.jpg').symlink_to('/dev/zero')
    for name in ('pipe.jpg', 'zero.jpg'):
        with pytest.raises(BadImageError, match=f'{name}: not a regular file'):
            LoadPersonImage()({'img_path': str(tmp_path / name)})


def test_file_too_large_for_any_image_is_not_read(tmp_path):
    path = tmp_path / 'huge.jpg'
    with path.open('wb') as file:
        file.truncate(1 << 40)
    with pytest.raises(BadImageError, match='1099511627776 bytes; an image has at most 416777216'):
        LoadPersonImage()({'img_path': str(path)})


def test_picture_with_broken_exif_is_read(photo):
    sound = encode(photo, 'PNG')
    chunk = b'eXIf' + b'no TIFF header'
    exif = struct.pack('>I', 14) + chunk + struct.pack('>I', zlib.crc32(chunk))
    np.testing.assert_array_equal(load(sound[:33] + exif + sound[33:]), load(sound))
