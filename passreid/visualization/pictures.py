"""Images that are read for pictures and pages, figures as PNG files, and the words below them."""

import base64
import warnings
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from passreid.datasets.transforms import LoadPersonImage

# Seconds; as a date it is in 1973, as a time since a start it is three years.
_EARLIEST_UNIX_TIME = 1e8


def read_image(path: str) -> np.ndarray | None:
    """Return the pixels ``(H, W, 3)`` uint8 in RGB, or None when they cannot be read."""
    load = LoadPersonImage()
    try:
        return load.decode(load.read_file(path))[..., ::-1]
    except Exception:  # Of any type, as LoadPersonImage says.
        return None


def thumbnail_uri(path: str, height: int = 256) -> str | None:
    """Return an image, at most so high, as 'data:image/jpeg;base64,...' for a page to hold.

    None when the image cannot be read.
    """
    image = read_image(path)
    if image is None:
        return None
    if image.shape[0] > height:
        size = (max(1, round(image.shape[1] * height / image.shape[0])), height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return f'data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}'


def png_bytes(figure: Figure, dpi: int = 100) -> bytes:
    """Draw a figure as a PNG file; the same figure gives the same bytes."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        # Of signs that the font lacks, such as those of Chinese names: they become boxes.
        warnings.filterwarnings('ignore', 'Glyph .* missing')
        # The default metadata names the version of matplotlib.
        figure.savefig(buffer, format='png', dpi=dpi, metadata={'Software': None})
    return buffer.getvalue()


def write_png(figure: Figure, path: str | Path, dpi: int = 100) -> None:
    """Write a figure to a PNG file, in a folder that is made if need be."""
    data, path = png_bytes(figure, dpi), Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def similarity_text(similarity: float) -> str:
    """Write a similarity with two decimals, with up to four where it is near 1."""
    return f'{similarity:.{2 + (similarity >= 0.9) + (similarity >= 0.99)}f}'


def camera_text(cam_id: int) -> str:
    """Write the number of a camera, a question mark when it is unknown (-1)."""
    return 'cam ?' if cam_id < 0 else f'cam {cam_id}'


def time_text(time: float) -> str:
    """Write a time: seconds of Unix as date and time (UTC), fewer than 10^8 as h:mm:ss."""
    if abs(time) < _EARLIEST_UNIX_TIME:
        minutes, seconds = divmod(int(time), 60)
        return f'{minutes // 60}:{minutes % 60:02d}:{seconds:02d}'
    try:
        return f'{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}'
    except (OverflowError, OSError, ValueError):  # No date of the calendar.
        return f'{time:g} s'
