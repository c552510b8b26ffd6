"""Many images of any shape on one page."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import TextPath

_DPI = 100
_POINTS_PER_INCH = 72
# Pixels.
_TILE = (192, 96)
_GAP, _MARGIN, _HEADER, _CAPTION_LINE = 8, 14, 44, 13
_LEAST_WIDTH = 480
_PAPER, _MOUNT = 255, 232
_CAPTION_LINES = 2
# Fonts that come with matplotlib; all characters of a caption have one width.
_TITLE_FONT = FontProperties(family='DejaVu Sans', weight='bold', size=13)
_CAPTION_FONT = FontProperties(family='DejaVu Sans Mono', size=7.5)
_UNKNOWN = '\N{WHITE SQUARE}'


def draw_contact_sheet(
    images: Iterable[np.ndarray],
    title: str,
    captions: Sequence[str] | None = None,
    columns: int = 10,
    tile_size: tuple[int, int] = _TILE,
) -> Figure:
    """Draw images in rows, each as large as fits in a tile; all tiles have one size.

    Args:
        images (Iterable[np.ndarray]): ``(H, W, 3)`` uint8, RGB, of any sizes. Read one at a time:
            a generator need not hold them all.
        title (str): Heading; in a smaller font when it is long.
        captions (Sequence[str], optional): Text below each image, such as its path. Of a long one
            the end is shown. Defaults to none.
        columns (int): Tiles of a row. Defaults to 10.
        tile_size (tuple[int, int]): Height and width of a tile in pixels. Defaults to
            (192, 96).

    Returns:
        Figure: Of one pixel each at 100 pixels to the inch, the default of :func:`write_png`.

    Raises:
        ValueError: When there are no images, not as many as captions, or ``columns`` is below 1.
    """
    tiles = [mount_image(image, *tile_size) for image in images]
    if not tiles or columns < 1:
        raise ValueError(f'{len(tiles)} images in {columns} columns: there must be at least one')
    if captions is not None and len(captions) != len(tiles):
        raise ValueError(f'{len(tiles)} images, but {len(captions)} captions')
    tile_height, tile_width = tile_size
    below = _CAPTION_LINES * _CAPTION_LINE if captions else 0
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    row_height, column_width = tile_height + below + _GAP, tile_width + _GAP
    width = max(2 * _MARGIN + columns * column_width - _GAP, _LEAST_WIDTH)
    height = _HEADER + rows * row_height - _GAP + _MARGIN
    page = np.full((height, width, 3), _PAPER, np.uint8)
    corners = [
        (_HEADER + row_height * (place // columns), _MARGIN + column_width * (place % columns))
        for place in range(len(tiles))
    ]
    for tile, (top, left) in zip(tiles, corners, strict=True):
        page[top : top + tile_height, left : left + tile_width] = tile
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor='white')
    cell = figure.add_axes((0, 0, 1, 1))
    cell.imshow(page, interpolation='nearest', aspect='auto')
    cell.set_axis_off()
    heading = _printable(title, _TITLE_FONT)
    font = _TITLE_FONT.copy()
    room = width - 2 * _MARGIN
    font.set_size(font.get_size() * room / max(room, _width(heading, font)))
    # What stands between dollar signs is no formula.
    cell.text(_MARGIN, _HEADER / 2, heading, font=font, va='center', parse_math=False)
    length = max(1, int(tile_width / _width('0', _CAPTION_FONT)))
    for caption, (top, left) in zip(captions or (), corners, strict=bool(captions)):
        lines = _last_lines(_printable(caption, _CAPTION_FONT), length)
        text = cell.text(left, top + tile_height + 3, lines, font=_CAPTION_FONT, parse_math=False)
        text.set(va='top', linespacing=1.1)
    return figure


def mount_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale an image to fit into a tile, and fill what is left of it with grey.

    Args:
        image (np.ndarray): ``(H, W, 3)`` uint8.
        height (int): Height of the tile in pixels.
        width (int): Its width.

    Returns:
        np.ndarray: ``(height, width, 3)`` uint8, the image in the middle.
    """
    scale = min(height / image.shape[0], width / image.shape[1])
    rows, columns = (max(1, round(scale * side)) for side in image.shape[:2])
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    tile = np.full((height, width, 3), _MOUNT, np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    scaled = cv2.resize(image, (columns, rows), interpolation=smooth)
    tile[top : top + rows, left : left + columns] = scaled
    return tile


def _width(text: str, font: FontProperties) -> float:
    """Width of a line in pixels."""
    # A dollar sign would begin a formula.
    text = text.replace('$', r'\$')
    # The outline ends before the room that the last character takes.
    twice, once = (
        TextPath((0, 0), f'{text * times}.', prop=font).get_extents().x1 for times in (2, 1)
    )
    return (twice - once) * _DPI / _POINTS_PER_INCH


def _last_lines(text: str, length: int) -> str:
    """Break the end of a text, where paths differ, into lines of so many characters."""
    room = _CAPTION_LINES * length
    if len(text) > room:
        text = f'…{text[1 - room :]}'
    return '\n'.join(text[start : start + length] for start in range(0, len(text), length))


def _printable(text: str, font: FontProperties) -> str:
    """Replace what the font cannot show: matplotlib would complain of each character."""
    shapes = get_font(findfont(font))
    return ''.join(
        char if char.isprintable() and shapes.get_char_index(ord(char)) else _UNKNOWN
        for char in text
    )
