"""Image files of any kind: read as they should be, or named, counted and skipped."""

import os
import socket
import struct
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hostile_images import (
    CORNERS,
    ORANGE,
    SIZE,
    TURNS,
    animated,
    broken_exif,
    cv2_file,
    encode,
    jpeg_of_size,
    many_texts,
    plain,
    png_16,
    png_of_size,
    read_folder,
    rotated,
    tiff_of_size,
    webp_of_size,
    with_chunk,
)
from PIL import Image

AREA = 'hostile input'
BOMB = zlib.compress(bytes(100_000_000))
GREY = (100, 100, 100)
NOBODY = 65534
ORIENTED = [(kind, number) for kind in ('JPEG', 'PNG', 'WEBP', 'TIFF') for number in TURNS]

# Name of the case, and the one colour of its picture.
PICTURES = {
    **{f'PNG of 16 bits, {n} channels': (png_16(n), GREY) for n in (1, 2, 3, 4)},
    **{f'TIFF of 16 bits, {n} channels': (cv2_file('.tiff', n), GREY) for n in (1, 3, 4)},
    'TIFF of 16 bits, big-endian': (
        encode(Image.fromarray(np.full(SIZE, 0x6432, '>u2')), 'TIFF'),
        GREY,
    ),
    'CMYK JPEG': (encode(plain().convert('CMYK'), 'JPEG', quality=95), ORANGE),
    'CMYK TIFF': (encode(plain().convert('CMYK'), 'TIFF'), ORANGE),
    'palette PNG': (encode(plain().quantize(4), 'PNG'), ORANGE),
    'palette PNG with transparency': (
        encode(plain().quantize(4), 'PNG', transparency=b'\0\x01'),
        ORANGE,
    ),
    'palette BMP': (encode(plain().quantize(4), 'BMP'), ORANGE),
    'grey JPEG': (encode(plain('L', 100), 'JPEG'), GREY),
    'one bit': (encode(plain('1', 1), 'PNG'), (255, 255, 255)),
    'grey with transparency': (encode(plain('LA', (100, 3)), 'PNG'), GREY),
    'RGBA PNG': (encode(plain('RGBA', (*ORANGE, 7)), 'PNG'), ORANGE),
    'RGBA TIFF': (encode(plain('RGBA', (*ORANGE, 7)), 'TIFF'), ORANGE),
    'RGBA WebP': (encode(plain('RGBA', (*ORANGE, 255)), 'WEBP', lossless=True), ORANGE),
    'animated PNG': (animated('PNG'), ORANGE),
    'animated WebP': (animated('WEBP', lossless=True), ORANGE),
    'TIFF of several pages': (animated('TIFF'), ORANGE),
    'JPEG of several pictures (MPO)': (animated('MPO', quality=95), ORANGE),
    'progressive JPEG': (encode(plain(), 'JPEG', progressive=True, quality=95), ORANGE),
    'BMP': (encode(plain(), 'BMP'), ORANGE),
    'JPEG and text behind it': (encode(plain(), 'JPEG', quality=95) + b'text', ORANGE),
    'PNG and a zip file behind it': (encode(plain(), 'PNG') + b'PK\x05\x06' + bytes(18), ORANGE),
    **{name: (data, ORANGE) for name, data in broken_exif().items()},
}
SHAPES = {
    '1x1': (1, 1),
    '20,000 wide': (1, 20_000),
    '20,000 high': (20_000, 1),
    '1x65,000': (1, 65_000),
}
# Name of the case, and what the message says.
REFUSED = {
    'empty file': (b'', 'the file is empty'),
    'GIF named .jpg': (encode(plain(), 'GIF'), 'not an image'),
    'animated GIF named .jpg': (animated('GIF'), 'not an image'),
    'HTML named .jpg': (b'<html><script>alert(1)</script></html>', 'not an image'),
    'SVG named .jpg': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'not an image'),
    'EPS named .jpg': (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'not an image'),
    'PDF named .jpg': (b'%PDF-1.7\n', 'not an image'),
    'ZIP named .jpg': (b'PK\x03\x04' + bytes(30), 'not an image'),
    'pickle named .jpg': (b'\x80\x04cposix\nsystem\n.', 'not an image'),
    'NumPy array named .jpg': (b'\x93NUMPY\x01\0', 'not an image'),
    'zeros': (bytes(1000), 'not an image'),
    'PNG of 60,000 x 60,000': (png_of_size(60_000, 60_000), 'decompression bomb'),
    'PNG of 2^31 - 1 pixels a side': (png_of_size(2**31 - 1, 2**31 - 1), 'decompression bomb'),
    'PNG of 9,000 x 9,000': (png_of_size(9000, 9000), '9000x9000 pixels; allowed'),
    'PNG of 7,000 x 7,000 without its data': (png_of_size(7000, 7000), 'truncated'),
    'PNG of width 0': (png_of_size(0, 8), ''),
    'JPEG of 65,500 x 65,500': (jpeg_of_size(65_500, 65_500), 'decompression bomb'),
    'JPEG of 9,000 x 9,000': (jpeg_of_size(9000, 9000), '9000x9000 pixels; allowed'),
    'JPEG of height 0': (jpeg_of_size(8, 0), ''),
    'TIFF of 2^31 - 1 pixels a side': (tiff_of_size(2**31 - 1, 2**31 - 1), 'decompression bomb'),
    'TIFF of 7,000 x 7,000 without its data': (tiff_of_size(7000, 7000), 'truncated'),
    'TIFF of width 0': (tiff_of_size(0, 8), ''),
    'WebP of 16,383 x 16,383': (webp_of_size(16_383, 16_383), 'decompression bomb'),
    'WebP of 9,000 x 9,000': (webp_of_size(9000, 9000), '9000x9000 pixels; allowed'),
    'PNG, bomb in zTXt': (with_chunk(b'zTXt', b'a\0\0' + BOMB), 'too large'),
    'PNG, bomb in iTXt': (with_chunk(b'iTXt', b'a\0\x01\0\0\0' + BOMB), 'too large'),
    'PNG, bomb in the colour profile': (with_chunk(b'iCCP', b'a\0\0' + BOMB), 'too large'),
    'PNG, bombs of a permitted size by the hundred': (many_texts(100), 'Too much memory'),
    'floating-point TIFF': (encode(plain('F', 1.0), 'TIFF'), 'floating-point'),
    '32-bit TIFF': (encode(plain('I', 200), 'TIFF'), 'more than 16 bits'),
    'TIFF of colours that cannot be converted': (
        encode(plain('YCbCr', ORANGE), 'TIFF')[:100],
        '',
    ),
}


@pytest.fixture
def folder(tmp_path):
    """Three sound pictures, and place for a strange one."""
    for name in ('1.png', '2.png', '3.png'):
        (tmp_path / name).write_bytes(encode(plain(), 'PNG'))
    return tmp_path


def read_with(folder, data, name='0.jpg'):
    """Read the folder with a file more; its pixels, None when it was skipped, and the reason."""
    (folder / name).write_bytes(data)
    read, summary = read_folder(folder)
    assert len(read) + len(summary['names']) == 4
    assert {'1.png', '2.png', '3.png'} <= read.keys()
    return read.get(name)


@pytest.mark.parametrize('name', PICTURES)
def test_odd_pictures_are_read(folder, tried, name):
    data, colour = PICTURES[name]
    pixels = read_with(folder, data)
    assert (pixels.shape, pixels.dtype) == ((*SIZE, 3), np.uint8)
    assert abs(pixels.astype(int) - colour).max() <= 4
    tried(AREA, 'images: odd kinds, broken EXIF', 'read, pixels right')


@pytest.mark.parametrize('shape', SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_extreme_shapes_are_read(folder, tried, shape, kind):
    pixels = read_with(folder, encode(plain(size=shape), kind))
    assert pixels.shape == (*shape, 3)
    tried(AREA, 'images: 1x1, 20,000 pixels wide or high', 'read, pixels right')


@pytest.mark.parametrize(('kind', 'orientation'), ORIENTED)
def test_exif_rotation(folder, tried, kind, orientation):
    pixels = read_with(folder, rotated(kind, orientation))
    upright = TURNS[orientation](CORNERS)
    assert pixels.shape == upright.shape
    assert abs(pixels.astype(int) - upright).mean() < 12
    tried(AREA, 'images: EXIF orientations 1-8 of four formats', 'read, upright')


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_no_picture_is_skipped(folder, tried, log, name):
    data, reason = REFUSED[name]
    assert read_with(folder, data) is None
    assert f'bad image {folder}/0.jpg: ' in log()
    assert reason in log()
    tried(AREA, 'images: no picture, wrong extension, bombs', 'counted and logged')


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('pipe', 'not a regular file'),
        ('device', 'not a regular file'),
        ('socket', 'No such device or address'),
        ('dangling link', 'No such file'),
        ('link to itself', 'Too many levels of symbolic links'),
        ('larger than any image', 'an image has at most'),
        ('link to a folder that is gone', 'No such file'),
    ],
)
def test_what_is_no_file_is_skipped_at_once(folder, tried, log, name, reason):
    path = folder / '0.jpg'
    if name == 'pipe':
        os.mkfifo(path)
    elif name == 'device':
        path.symlink_to('/dev/zero')
    elif name == 'socket':
        place = os.open(folder, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as server:
            # The whole path may be longer than a socket's may.
            server.bind(f'/proc/self/fd/{place}/0.jpg')
        os.close(place)
    elif name == 'larger than any image':
        with path.open('wb') as file:
            file.truncate(1 << 42)
    else:
        path.symlink_to({'link to itself': '0.jpg'}.get(name, 'none/0.jpg'))
    read, summary = read_folder(folder)
    assert (len(read), summary['names']) == (3, [str(path)])
    assert reason in log()
    tried(AREA, 'pipes, devices, sockets, dead links named as images', 'counted and logged')


def test_folders_named_as_images_are_entered(folder, tried):
    (folder / '0.jpg').mkdir()
    (folder / '0.jpg' / 'inner.png').write_bytes(encode(plain(), 'PNG'))
    (folder / '0.jpg' / 'loop').symlink_to('..')
    (folder / 'link.jpg').symlink_to('0.jpg/inner.png')
    read, summary = read_folder(folder)
    assert sorted(read) == ['0.jpg/inner.png', '1.png', '2.png', '3.png', 'link.jpg']
    assert not summary['names']
    tried(AREA, 'folders named as images, loops of folders', 'read, each image once')


@contextmanager
def no_superuser(folder):
    """Be nobody, in a folder below the temporary one, if this is root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_that_may_not_be_read(tried, log):
    # That of pytest is below a folder which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for picture in ('0.jpg', '1.png', '2.png', '3.png'):
            (folder / picture).write_bytes(encode(plain(), 'PNG'))
            (folder / picture).chmod(0 if picture == '0.jpg' else 0o644)
        with no_superuser(folder):
            read, summary = read_folder(folder)
    assert (len(read), len(summary['names'])) == (3, 1)
    assert 'Permission denied' in log()
    tried(AREA, 'files that may not be read', 'counted and logged')


@pytest.mark.parametrize('name', ['PNG, bomb in zTXt', 'WebP of 16,383 x 16,383'])
def test_bombs_in_a_test_set_are_errors(folder, tried, name):
    (folder / '0.jpg').write_bytes(REFUSED[name][0])
    with pytest.raises(Exception, match=f'^bad image {folder}/0.jpg: '):
        read_folder(folder, test_mode=True)
    tried(AREA, 'bombs in a test set', 'refused: named the file')


def test_sizes_of_declared_and_real_pictures():
    """The bombs above are what they are called."""
    assert struct.unpack('>II', png_of_size(60_000, 60_000)[16:24]) == (60_000, 60_000)
    assert len(zlib.decompress(BOMB)) == 100_000_000
    assert len(BOMB) < 100_000
