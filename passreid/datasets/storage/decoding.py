"""Reading images that may be broken, and the errors that name them."""

import os
import stat
from contextlib import suppress
from io import BytesIO

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageOps

from passreid.registry import TRANSFORMS
from passreid.utils.messages import printable

from ..occlusion import BANDS, replace_band

# Pillow's other readers are not let near unknown files.
_FORMATS = ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF')
_JPEG_END = b'\xff\xd9'
_UNKNOWN_RANGE = 'floating-point or signed pixels, or of more than 16 bits: their range is unknown'
# 16-bit color with transparency that compression made no smaller, and the metadata.
_BYTES_PER_PIXEL, _MORE_BYTES = 8, 1 << 24


class BadImageError(Exception):
    """An image that cannot be read: the file, or the key in an LMDB, and what is wrong with it."""

    def __init__(self, path: str, reason: str = '') -> None:
        name = printable(path)
        super().__init__(f'bad image {name}: {printable(reason)}' if reason else name)
        self.path = path
        self.reason = reason


class TooManyBadImagesError(RuntimeError):
    """More images are bad than the data set tolerates."""


@TRANSFORMS.register_module()
class LoadPersonImage(BaseTransform):
    """Read an image from a local file or from bytes, strictly.

    ``img_bytes`` (removed) or the file ``img_path`` becomes ``img`` ((H, W, 3) uint8, BGR),
    ``img_shape`` and ``ori_shape``. A sound JPEG takes the fast way through OpenCV. Everything else
    goes through Pillow, which, unlike OpenCV, refuses truncated data. Both obey EXIF rotation.
    Greyscale, palette, CMYK and 16-bit images become 8-bit color; transparency is dropped; of
    several pictures in a file the first is read.

    Args:
        max_pixels (int): Larger images are refused before they are decoded, and files that even
            such an image would not fill before they are read. Defaults to 50,000,000.
        occlude_queries (str, optional): 'top', 'middle' or 'bottom', for tests: this third of each
            query is replaced by that of ``occluder_path``, the next query of another person (see
            :func:`.replace_band`). Defaults to None, which leaves queries whole.
    """

    def __init__(self, max_pixels: int = 50_000_000, occlude_queries: str | None = None) -> None:
        if occlude_queries not in (None, *BANDS):
            raise ValueError(f'occlude_queries must be one of {BANDS}, but is {occlude_queries!r}')
        self.max_pixels = max_pixels
        self.occlude_queries = occlude_queries

    def transform(self, results: dict) -> dict:
        """Read the image of a sample; a :class:`BadImageError` names it and says what is wrong."""
        path = str(results.get('img_path', 'given as bytes'))
        img = self._load(path, results.pop('img_bytes', None))
        if self.occlude_queries and results.get('is_query'):
            if 'occluder_path' not in results:
                raise ValueError('occlude_queries needs queries of two persons of a ReIDDataset')
            other = self._load(results['occluder_path'])
            img = replace_band(img, other, self.occlude_queries)
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def _load(self, path: str, data: bytes | None = None) -> np.ndarray:
        try:
            return self.decode(self.read_file(path) if data is None else data)
        # Broken files make the decoders raise nearly anything.
        except Exception as error:
            raise BadImageError(path, _reason(error)) from error

    def read_file(self, path: str) -> bytes:
        """Read a file, unless it is a pipe, for which one would wait, or too large."""
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError('not a regular file')
        allowed = self.max_pixels * _BYTES_PER_PIXEL + _MORE_BYTES
        if status.st_size > allowed:
            raise ValueError(f'{status.st_size} bytes; an image has at most {allowed}')
        with open(path, 'rb') as file:
            return file.read()

    def decode(self, data: bytes) -> np.ndarray:
        """Decode the contents of an image file to (H, W, 3) uint8, BGR; raises any exception."""
        if not data:
            raise ValueError('the file is empty')
        # Reads the header only.
        file = BytesIO(data)
        image: Image.Image = Image.open(file, formats=_FORMATS)
        width, height = image.size
        if not 0 < width * height <= self.max_pixels:
            raise ValueError(f'{width}x{height} pixels; allowed are 1 to {self.max_pixels}')
        # Most files end with the marker; some are padded.
        is_complete = data.rstrip(b'\0\n\r ').endswith(_JPEG_END)
        if image.format == 'JPEG' and image.mode in ('RGB', 'L') and is_complete:
            img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if img is None:
                raise ValueError('OpenCV cannot decode it')
            return img
        # Pillow has read up to the first scan; zeros after a cut would pass for its data.
        if image.format in ('JPEG', 'MPO') and data.find(_JPEG_END, file.tell()) < 0:
            raise ValueError('image file is truncated (it lacks the end marker)')
        if image.mode == 'F' or (image.mode == 'I' and image.format == 'TIFF'):
            raise ValueError(_UNKNOWN_RANGE)
        image.load()
        # As OpenCV does it: broken metadata do not make a picture unreadable.
        with suppress(Exception):
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith('I'):
            # Pillow would clip 16-bit values at 255.
            values = np.asarray(image)
            if values.min() < 0 or values.max() > 65535:
                raise ValueError(_UNKNOWN_RANGE)
            image = Image.fromarray((values >> 8).astype(np.uint8))
        return cv2.cvtColor(np.asarray(image.convert('RGB')), cv2.COLOR_RGB2BGR)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Pillow's own text names the address of a buffer.
    if isinstance(error, Image.UnidentifiedImageError):
        return f'not an image ({", ".join(_FORMATS)})'
    return str(error) or type(error).__name__
