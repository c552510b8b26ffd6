"""Reading images that may be broken."""

import os
import stat
from io import BytesIO

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageOps

from passreid.registry import TRANSFORMS

from .bad_images import BadImageError

# Pillow's other readers are not let near unknown files.
_FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF')
_JPEG_END = b'\xff\xd9'
_UNKNOWN_RANGE = 'pixels of more than 16 bits or with a sign, whose range is unknown'
# 16-bit colour with transparency that compression made no smaller, and the metadata.
_BYTES_PER_PIXEL, _MORE_BYTES = 8, 1 << 24


@TRANSFORMS.register_module()
class LoadPersonImage(BaseTransform):
    """Read an image from a local file or from bytes, strictly.

    A sound JPEG takes the fast way through OpenCV. Everything else goes through Pillow, which,
    unlike OpenCV, refuses truncated data. Both ways obey EXIF rotation. Greyscale, palette,
    CMYK and 16-bit images become 8-bit colour; transparency is dropped; of several pictures in a
    file the first is read. What is damaged in the middle and still decodes cannot be told from a
    sound image. Pipes, devices and sockets are refused, not waited for.

    **Required keys:** ``img_bytes`` (bytes; removed), else ``img_path`` (str).

    **Added keys:** ``img`` ((H, W, 3) uint8, BGR), ``img_shape`` and ``ori_shape`` ((H, W)).

    Args:
        max_pixels (int): Larger images are refused before they are decoded, and files that even
            such an image would not fill before they are read. Defaults to 50,000,000.
    """

    def __init__(self, max_pixels: int = 50_000_000) -> None:
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Read the image.

        Args:
            results (dict): The sample.

        Returns:
            dict: The sample with the image.

        Raises:
            BadImageError: When the image cannot be read; names it and says why.
        """
        data = results.pop('img_bytes', None)
        try:
            if data is None:
                data = self.read_file(results['img_path'])
            img = self.decode(data)
        # Broken files make the decoders raise nearly anything, KeyError and struct.error too.
        except Exception as error:
            name = str(results.get('img_path', 'given as bytes'))
            raise BadImageError(name, _reason(error)) from error
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def decode(self, data: bytes) -> np.ndarray:
        """Decode an image file.

        Args:
            data (bytes): Contents of the file.

        Returns:
            np.ndarray: (H, W, 3) uint8, BGR.

        Raises:
            Exception: Of any type, when the data are not a sound image of a permitted size.
        """
        if not data:
            raise ValueError('the file is empty')
        # Reads the header only.
        file = BytesIO(data)
        image = Image.open(file, formats=_FORMATS)
        width, height = image.size
        if not 0 < width * height <= self.max_pixels:
            raise ValueError(f'{width}x{height} pixels; allowed are 1 to {self.max_pixels}')
        if image.format == 'JPEG' and image.mode in ('RGB', 'L') and _is_complete_jpeg(data):
            img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if img is None:
                raise ValueError('OpenCV cannot decode it')
            return img
        # Pillow has read up to the first scan; zeros after a cut would pass for its data.
        if image.format in ('JPEG', 'MPO') and data.find(_JPEG_END, file.tell()) < 0:
            raise ValueError('image file is truncated (it lacks the end marker)')
        if image.mode == 'I' and image.format == 'TIFF':
            raise ValueError(_UNKNOWN_RANGE)
        image.load()
        return cv2.cvtColor(np.asarray(_to_rgb(_upright(image))), cv2.COLOR_RGB2BGR)

    def read_file(self, path: str) -> bytes:
        """Read a file that may be anything.

        Args:
            path (str): The file.

        Returns:
            bytes: Its contents.

        Raises:
            OSError: When it cannot be read.
            ValueError: When it is no regular file, or too large to be an image of a permitted size.
        """
        with open(path, 'rb', opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError('not a regular file')
            allowed = self.max_pixels * _BYTES_PER_PIXEL + _MORE_BYTES
            if status.st_size > allowed:
                raise ValueError(f'{status.st_size} bytes; an image has at most {allowed}')
            return file.read()

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_pixels={self.max_pixels})'


def _open_at_once(path: str, flags: int) -> int:
    # A pipe would be waited for until somebody writes into it.
    return os.open(path, flags | getattr(os, 'O_NONBLOCK', 0))


def _is_complete_jpeg(data: bytes) -> bool:
    # Most files end with the marker; some are padded.
    return data.endswith(_JPEG_END) or data.rstrip(b'\0\n\r ').endswith(_JPEG_END)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # As OpenCV does it: broken metadata do not make a picture unreadable. Pillow raises anything.
    except Exception:
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):
        # Pillow would clip 16-bit values at 255.
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(_UNKNOWN_RANGE)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == 'F':
        raise ValueError('floating-point pixels, whose range is unknown')
    return image.convert('RGB')


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Pillow's own text names the address of a buffer.
    if isinstance(error, Image.UnidentifiedImageError):
        return f'not an image ({", ".join(_FORMATS)})'
    return str(error) or type(error).__name__
