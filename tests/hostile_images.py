"""Image files that are odd or broken, and what has to become of them."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from passreid.registry import DATASETS
from passreid.utils import register_all_modules

ORANGE = (200, 100, 50)
SIZE = (16, 8)
# The first rows and the last columns differ, so that every turn shows.
CORNERS = np.full((16, 8, 3), 40, np.uint8)
CORNERS[:8, :4], CORNERS[8:, :4], CORNERS[8:, 4:] = (250, 30, 30), (30, 250, 30), (30, 30, 250)
TURNS = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def encode(image, kind, **options):
    """Return an image as a file of a kind."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(mode='RGB', colour=ORANGE, size=SIZE):
    """Return an image of one colour; ``size`` is height and width."""
    return Image.new(mode, size[::-1], colour)


def png_chunk(kind, data):
    """Return a chunk of a PNG file."""
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def with_chunk(kind, data, png=None):
    """Return a PNG file with a chunk behind its header."""
    png = png or encode(plain(), 'PNG')
    return png[:33] + png_chunk(kind, data) + png[33:]


def many_texts(number):
    """Return a PNG file with texts that are a megabyte each when decompressed."""
    png, text = encode(plain(), 'PNG'), b'a\0\0' + zlib.compress(bytes(1_000_000))
    for _ in range(number):
        png = with_chunk(b'zTXt', text, png)
    return png


def png_of_size(width, height):
    """Return a PNG file whose header tells another size than its data have."""
    header = struct.pack('>II', width, height) + b'\x08\x02\0\0\0'
    return b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', header) + encode(plain(), 'PNG')[33:]


def png_16(channels):
    """Return a PNG file with 16 bits a channel, all of them 0x6432."""
    row = b'\0' + b'\x64\x32' * channels * SIZE[1]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack('>IIBBBBB', SIZE[1], SIZE[0], 16, kind, 0, 0, 0)
    parts = (
        png_chunk(b'IHDR', header),
        png_chunk(b'IDAT', zlib.compress(row * SIZE[0])),
        png_chunk(b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def tiff_of_size(width, height):
    """Return a TIFF file whose tags tell another size than its data have."""
    data = bytearray(encode(plain(), 'TIFF'))
    start = struct.unpack('<I', data[4:8])[0]
    for number in range(struct.unpack('<H', data[start : start + 2])[0]):
        entry = start + 2 + 12 * number
        tag = struct.unpack('<H', data[entry : entry + 2])[0]
        if tag in (256, 257):
            size = {256: width, 257: height}[tag]
            data[entry + 2 : entry + 12] = struct.pack('<HII', 4, 1, size)
    return bytes(data)


def webp_of_size(width, height):
    """Return a WebP file whose header tells another size than its data have."""
    data = encode(plain(), 'WEBP', lossless=True)
    place = data.index(b'VP8L') + 9
    return data[:place] + struct.pack('<I', (width - 1) | (height - 1) << 14) + data[place + 4 :]


def jpeg_of_size(width, height):
    """Return a JPEG file whose header tells another size than its data have."""
    data = encode(plain(), 'JPEG')
    place = data.index(b'\xff\xc0') + 5
    return data[:place] + struct.pack('>HH', height, width) + data[place + 4 :]


def cv2_file(kind, channels):
    """Return a file of 16 bits a channel that OpenCV wrote, all of them 0x6432."""
    shape = SIZE if channels == 1 else (*SIZE, channels)
    return cv2.imencode(kind, np.full(shape, 0x6432, np.uint16))[1].tobytes()


def rotated(kind, orientation):
    """Return :data:`CORNERS` in a file that says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {'JPEG': dict(quality=95, subsampling=0), 'WEBP': dict(lossless=True)}.get(kind, {})
    return encode(Image.fromarray(CORNERS), kind, exif=exif, **options)


def animated(kind, **options):
    """Return an orange picture followed by a black one."""
    second = plain(colour=(0, 0, 0))
    return encode(plain(), kind, save_all=True, append_images=[second], **options)


def broken_exif():
    """Return sound pictures with metadata that are none, by name."""
    ends = {
        'no TIFF header': b'junkjunk',
        'first entry far away': b'II*\0\xff\xff\xff\x7f',
        'more entries than bytes': b'II*\0\x08\0\0\0\xff\xff' + b'\x12\x01\x03\0' * 4,
        'orientation 99': b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\x08\0\0\0',
        'empty': b'',
    }
    files = {}
    for name, data in ends.items():
        files[f'JPEG, EXIF: {name}'] = encode(plain(), 'JPEG', exif=b'Exif\0\0' + data)
        files[f'PNG, EXIF: {name}'] = with_chunk(b'eXIf', data)
    return files


def read_folder(root, **options):
    """Read every image of a folder as a training does.

    Returns:
        tuple[dict, dict]: Images that were read, (H, W, 3) RGB by name, and the summary of those
        that were not.
    """
    register_all_modules(init_default_scope=False)
    dataset = DATASETS.build(
        dict(
            type='passreid.LUPerson',
            data_root=str(root),
            pipeline=[dict(type='LoadPersonImage')],
            max_bad_share=1,
            **options,
        )
    )
    read, number = {}, 0
    for index in range(len(dataset)):
        sample = dataset[index]
        if sample['sample_idx'] == index:
            read[dataset.data_list[index]] = sample['img'][..., ::-1]
            number += 1
    summary = dataset.bad_image_summary()
    assert number + len(summary['names']) == len(dataset), 'an image was lost'
    return read, summary
