"""Many images of any shape on one page."""

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure

from passreid.utils.messages import printable

# Pixels.
_GAP, _MARGIN, _HEADER, _CAPTION_LINE = 8, 14, 44, 13
_LEAST_WIDTH = 480
_CAPTION_LINES = 2
_CAPTION: dict[str, Any] = dict(family='DejaVu Sans Mono', size=7.5, va='top', linespacing=1.1)
_CHARACTER_WIDTH = 0.602 * 7.5 * 100 / 72


def draw_contact_sheet(
    images: Iterable[np.ndarray],
    title: str,
    captions: Sequence[str] | None = None,
    columns: int = 10,
    tile_size: tuple[int, int] = (192, 96),
) -> Figure:
    """Draw images in rows, each as large as fits in a tile; all tiles have one size.

    ``images`` are (H, W, 3) uint8, RGB, of any sizes, read one at a time. Below each stands its
    caption, of a long one the end. ``tile_size`` is height and width in pixels, which
    :func:`write_png` draws as such.
    """
    tiles = [_mount(image, *tile_size) for image in images]
    tile_height, tile_width = tile_size
    columns = min(columns, len(tiles))
    row_height = tile_height + _GAP + (_CAPTION_LINES * _CAPTION_LINE if captions else 0)
    width = max(2 * _MARGIN + columns * (tile_width + _GAP) - _GAP, _LEAST_WIDTH)
    height = _HEADER + -(-len(tiles) // columns) * row_height - _GAP + _MARGIN
    page = np.full((height, width, 3), 255, np.uint8)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    # Texts are placed in pixels, from below; what stands between dollar signs is no formula.
    place: dict[str, Any] = dict(
        x=_MARGIN, y=height - _HEADER / 2, transform=None, parse_math=False
    )
    figure.text(s=printable(title), va='center', size=13, weight='bold', **place)
    length = max(1, int(tile_width / _CHARACTER_WIDTH))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = _HEADER + row_height * row, _MARGIN + (tile_width + _GAP) * column
        page[top : top + tile_height, left : left + tile_width] = tile
        text = printable(captions[number]) if captions else ''
        # The end, where paths differ.
        if len(text) > _CAPTION_LINES * length:
            text = f'…{text[1 - _CAPTION_LINES * length :]}'
        text = '\n'.join(text[start : start + length] for start in range(0, len(text), length))
        place.update(x=left, y=height - top - tile_height - 3)
        figure.text(s=text, **_CAPTION, **place)
    figure.figimage(page)
    return figure


def _mount(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale an image to fit into a tile, and fill what is left of it with gray."""
    scale = min(height / image.shape[0], width / image.shape[1])
    rows, columns = (max(1, round(scale * side)) for side in image.shape[:2])
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, (columns, rows), interpolation=smooth)
    above, left = (height - rows) // 2, (width - columns) // 2
    rest = above, height - rows - above, left, width - columns - left
    return cv2.copyMakeBorder(scaled, *rest, cv2.BORDER_CONSTANT, value=(232, 232, 232))
