"""Image files of any kind: read as they should be, or refused by name and replaced in training."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from passreid.datasets import LUPerson
from passreid.datasets.transforms import LoadPersonImage

ORANGE, GRAY, SIZE = (200, 100, 50), (100, 100, 100), (16, 8)


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(mode='RGB', color=ORANGE, size=SIZE):
    return Image.new(mode, size[::-1], color)


def animated(kind, **options):
    """Return an orange picture followed by a black one."""
    return encode(plain(), kind, save_all=True, append_images=[plain(color=0)], **options)


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png_with(kind, data):
    """Return a PNG file with a chunk behind its header."""
    return PNG[:33] + chunk(kind, data) + PNG[33:]


def png_of_size(width, height):
    """Return a PNG file whose header tells another size than its data have."""
    header = struct.pack('>II', width, height) + b'\x08\x02\0\0\0'
    return PNG[:8] + chunk(b'IHDR', header) + PNG[33:]


def cv2_file(kind, channels):
    """Return a file of 16 bits a channel, all of them 0x6432."""
    shape = SIZE if channels == 1 else (*SIZE, channels)
    return cv2.imencode(kind, np.full(shape, 0x6432, np.uint16))[1].tobytes()


PNG, JPEG = encode(plain(), 'PNG'), encode(plain(), 'JPEG', quality=95)
BOMB = zlib.compress(bytes(100_000_000))
# A file and the one color of its picture.
PICTURES = {
    'PNG of 16 bits': (cv2_file('.png', 3), GRAY),
    'TIFF of 16 bits with transparency': (cv2_file('.tiff', 4), GRAY),
    'CMYK JPEG': (encode(plain().convert('CMYK'), 'JPEG', quality=95), ORANGE),
    'palette with transparency': (
        encode(plain().quantize(4), 'PNG', transparency=b'\0\x01'),
        ORANGE,
    ),
    'gray JPEG': (encode(plain('L', 100), 'JPEG'), GRAY),
    'RGBA': (encode(plain('RGBA', (*ORANGE, 7)), 'PNG'), ORANGE),
    'animated PNG': (animated('PNG'), ORANGE),
    'TIFF of several pages': (animated('TIFF'), ORANGE),
    'broken EXIF in a PNG': (png_with(b'eXIf', b'junkjunk'), ORANGE),
}
# A file and what the error says, besides its name.
REFUSED = {
    'empty': (b'', 'empty'),
    'GIF': (encode(plain(), 'GIF'), 'not an image'),
    'HTML': (b'<html><script>alert(1)</script></html>', 'not an image'),
    'PNG of 60,000 x 60,000': (png_of_size(60_000, 60_000), 'bomb'),
    'PNG of 9,000 x 9,000': (png_of_size(9000, 9000), 'allowed'),
    'PNG without its data': (png_of_size(7000, 7000), 'truncated'),
    'PNG of width 0': (png_of_size(0, 8), ''),
    'truncated JPEG': (JPEG[:-30], ''),
    'bomb in a text': (png_with(b'zTXt', b'a\0\0' + BOMB), 'too large'),
    'TIFF of floats': (encode(plain('F', 1.0), 'TIFF'), 'floating-point'),
    'TIFF of 32 bits': (encode(plain('I', 200), 'TIFF'), '16 bits'),
}
# What makes something of a name that is no file.
NO_FILES = {
    'pipe': os.mkfifo,
    'device': lambda path: os.symlink('/dev/zero', path),
    'dangling link': lambda path: os.symlink('none', path),
    'four terabytes': lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 42),
}
TRUNCATED = {
    'JPEG': {},
    'PNG': {},
    'WEBP': dict(lossless=True),
}


def read(path):
    return LoadPersonImage()({'img_path': str(path)})['img'][..., ::-1]


@pytest.mark.parametrize('case', PICTURES)
def test_read(tmp_path, case):
    data, color = PICTURES[case]
    (tmp_path / '0.jpg').write_bytes(data)
    pixels = read(tmp_path / '0.jpg')
    assert (pixels.shape, pixels.dtype) == ((*SIZE, 3), np.uint8)
    assert abs(pixels.astype(int) - color).max() <= 4


@pytest.mark.parametrize('case', [*REFUSED, *NO_FILES])
def test_refused(tmp_path, log, case):
    """By an error with the name; in training another picture takes its place."""
    for name in ('1.jpg', '2.jpg'):
        (tmp_path / name).write_bytes(JPEG)
    path, reason = tmp_path / '0.jpg', ''
    if case in NO_FILES:
        NO_FILES[case](path)
    else:
        data, reason = REFUSED[case]
        path.write_bytes(data)
    with pytest.raises(Exception, match=f'{path}: .*{reason}'):
        read(path)
    dataset = LUPerson(str(tmp_path), pipeline=[LoadPersonImage()], max_bad_share=1)
    assert all(dataset[index]['img_path'] != str(path) for index in range(3))
    assert dataset.bad_image_summary()['names'] == [str(path)] and str(path) in log()


@pytest.mark.parametrize('kind', TRUNCATED)
def test_truncated_anywhere(tmp_path, kind):
    """The same picture where only its end is missing, or an error with the name."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 24, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind, **TRUNCATED[kind])
    path = tmp_path / '0.jpg'
    path.write_bytes(data)
    whole = read(path)
    for length in [*range(1, len(data), len(data) // 30), *range(len(data) - 20, len(data))]:
        path.write_bytes(data[:length])
        try:
            found = read(path)
        except Exception as error:
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(found, whole)
