"""Queries beside what was found for them."""

import math
import os.path as osp
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passreid.datasets.transforms import LoadPersonImage
from passreid.utils.printable import printable

# Told apart by those who see no difference between red and green too.
_RIGHT, _WRONG, _QUERY, _UNKNOWN = '#008a5e', '#d0310e', '#333333', '#8a8a8a'
_GREY = '#c8c8c8'
# Inches.
_TILE_WIDTH, _GAP, _QUERY_GAP, _MARGIN = 0.8, 0.12, 0.22, 0.15
_HEADER, _RANK, _LINE, _ROW_GAP = 0.24, 0.2, 0.14, 0.2
_TITLE, _LEGEND = 0.36, 0.3
_POINTS_PER_INCH = 72
# Seconds; as a date it is in 1973, as a time since a start it is three years.
_EARLIEST_UNIX_TIME = 1e8
# Width of a character in units of the font size; what is longer gets a smaller font.
_CHARACTER_WIDTH = 0.6


@dataclass(frozen=True)
class RankedItem:
    """A gallery image that was found.

    Attributes:
        img_path (str): The image. One that cannot be read is drawn as a grey tile.
        pid (int, optional): Whom it shows; None when unknown.
        cam_id (int): Its camera, -1 when unknown.
        distance (float, optional): Its distance to the query. Defaults to None.
        similarity (float, optional): Cosine of its feature and that of the query, shown instead of
            the distance. Defaults to None.
        time (float, optional): When it was taken, see :func:`time_text`. Defaults to None.
        image (np.ndarray, optional): Pixels ``(H, W, 3)`` uint8 in RGB of an image that is no file.
            Defaults to None.
    """

    img_path: str
    pid: int | None
    cam_id: int
    distance: float | None = None
    similarity: float | None = None
    time: float | None = None
    image: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RankedQuery:
    """A query and what was found for it, nearest first.

    Attributes:
        img_path (str): The image.
        pid (int, optional): Whom it shows; None when unknown.
        cam_id (int): Its camera, -1 when unknown.
        average_precision (float, optional): In [0, 1]; NaN when the gallery has no match that
            counts; None when unknown.
        items (Sequence[RankedItem]): What was found; may be fewer than those of other queries.
        image (np.ndarray, optional): Pixels ``(H, W, 3)`` uint8 in RGB of an image that is no file.
            Defaults to None.
    """

    img_path: str
    pid: int | None
    cam_id: int
    average_precision: float | None
    items: Sequence[RankedItem]
    image: np.ndarray | None = field(default=None, compare=False)


def draw_rank_list(queries: Sequence[RankedQuery], title: str | None = None) -> Figure:
    """Draw one row for each query: the query, then what was found, nearest first.

    Items of the right person have a solid green frame and a tick, others a dashed red one and
    a cross; where it is not known who is who the frame is grey and there is no sign. Below each
    are its distance or similarity, camera and id, and its time when known.

    Args:
        queries (Sequence[RankedQuery]): The rows.
        title (str, optional): Heading. Defaults to none.

    Returns:
        Figure: Ten items wide it is 10 inches wide.

    Raises:
        ValueError: When there are no queries.
    """
    if not queries:
        raise ValueError('there are no queries to draw')
    shown: list[RankedQuery | RankedItem] = []
    for query in queries:
        shown += [query, *query.items]
    images = {
        image.img_path: _read(image.img_path) if image.image is None else image.image
        for image in shown
    }
    columns = max(len(query.items) for query in queries)
    tile_height = _TILE_WIDTH * _typical_aspect(images.values())
    lines = max((len(_caption(item)) for query in queries for item in query.items), default=0)
    row_height = _HEADER + _RANK + tile_height + lines * _LINE + _ROW_GAP
    width = 2 * _MARGIN + _TILE_WIDTH + _QUERY_GAP + columns * (_TILE_WIDTH + _GAP)
    width = max(width, 5.2)
    top = _TITLE if title else _MARGIN
    page = _Page(width, top + len(queries) * row_height + _LEGEND, tile_height)
    if title:
        page.text(_MARGIN, 0.2, title, fontsize=11, fontweight='bold', va='center')
    for row, query in enumerate(queries):
        _draw_row(page, query, images, top + row * row_height)
    _draw_legend(page, queries)
    return page.figure


def similarity_text(similarity: float) -> str:
    """Write a similarity with two decimals, with up to four where it is near 1.

    Args:
        similarity (float): A cosine.

    Examples:
        >>> [similarity_text(value) for value in (0.8312, 0.9512, 0.99912, 1.0)]
        ['0.83', '0.951', '0.9991', '1.0000']
    """
    return f'{similarity:.{2 + (similarity >= 0.9) + (similarity >= 0.99)}f}'


def time_text(time: float) -> str:
    """Write a time: seconds of Unix as date and time (UTC), fewer than 10^8 as h:mm:ss.

    Args:
        time (float): Seconds; what is no date of the calendar is written as seconds.
    """
    if abs(time) < _EARLIEST_UNIX_TIME:
        minutes, seconds = divmod(int(time), 60)
        return f'{minutes // 60}:{minutes % 60:02d}:{seconds:02d}'
    try:
        return f'{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}'
    except (OverflowError, OSError, ValueError):
        return f'{time:g} s'


class _Page:
    """A figure measured in inches from its top left corner."""

    def __init__(self, width: float, height: float, tile_height: float) -> None:
        self.figure = Figure(figsize=(width, height), facecolor='white')
        self.width, self.height, self.tile_height = width, height, tile_height

    def text(self, left: float, top: float, text: str, **style) -> None:
        # What stands between dollar signs is no formula.
        place = left / self.width, 1 - top / self.height
        self.figure.text(*place, text, parse_math=False, **style)

    def tile(self, left: float, top: float) -> Axes:
        bottom = self.height - top - self.tile_height
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                _TILE_WIDTH / self.width,
                self.tile_height / self.height,
            )
        )


def _read(path: str) -> np.ndarray | None:
    """Return the pixels (H, W, 3) in RGB, or None when they cannot be read."""
    try:
        load = LoadPersonImage()
        return load.decode(load.read_file(path))[..., ::-1]
    # Of any type, as LoadPersonImage says: the tile then shows the name of the file.
    except Exception:
        return None


def _typical_aspect(images) -> float:
    """Median of height / width, within what leaves room for the captions."""
    aspects = [image.shape[0] / image.shape[1] for image in images if image is not None]
    return float(np.clip(np.median(aspects), 1, 3)) if aspects else 2.0


def _draw_row(
    page: _Page, query: RankedQuery, images: dict[str, np.ndarray | None], top: float
) -> None:
    parts = [printable(osp.basename(query.img_path))]
    if query.pid is not None:
        parts.append(f'id {query.pid}')
    if query.pid is not None or query.cam_id >= 0:
        parts.append(_camera(query.cam_id))
    if query.average_precision is not None:
        unmatched = math.isnan(query.average_precision)
        parts.append(
            'no match in the gallery' if unmatched else f'AP {query.average_precision:.1%}'
        )
    header = '    '.join(parts)
    page.text(_MARGIN, top + _HEADER / 2, header, fontsize=9, fontweight='bold', va='center')
    above, tiles = top + _HEADER + _RANK / 2, top + _HEADER + _RANK
    below = tiles + page.tile_height + 0.05
    style = dict(ha='center', va='center', fontsize=9)
    page.text(_MARGIN + _TILE_WIDTH / 2, above, 'query', color=_QUERY, **style)
    _draw_tile(page.tile(_MARGIN, tiles), images[query.img_path], query.img_path, _QUERY, '-')
    for rank, item in enumerate(query.items):
        left = _MARGIN + _TILE_WIDTH + _QUERY_GAP + rank * (_TILE_WIDTH + _GAP)
        colour, line, sign = _judgement(item, query)
        centre = left + _TILE_WIDTH / 2
        page.text(
            centre, above, f'{rank + 1} {sign}'.strip(), color=colour if sign else _QUERY, **style
        )
        _draw_tile(page.tile(left, tiles), images[item.img_path], item.img_path, colour, line)
        for number, text in enumerate(_caption(item)):
            size = min(7.5, _fitting_size(text, _TILE_WIDTH + _GAP))
            page.text(centre, below + _LINE * number, text, fontsize=size, ha='center', va='top')


def _judgement(item: RankedItem, query: RankedQuery) -> tuple[str, Any, str]:
    """Return colour and line of the frame, and the sign, of an item."""
    if item.pid is None or query.pid is None:
        return _UNKNOWN, '-', ''
    return (_RIGHT, '-', '✓') if item.pid == query.pid else (_WRONG, (0, (3.5, 2)), '✗')


def _caption(item: RankedItem) -> list[str]:
    """Return the lines below an item."""
    lines = []
    if item.similarity is not None:
        lines.append(f'similarity {similarity_text(item.similarity)}')
    elif item.distance is not None:
        lines.append(f'{item.distance:.3g}')
    camera = _camera(item.cam_id)
    lines.append(camera if item.pid is None else f'id {item.pid}, {camera}')
    if item.time is not None:
        lines.append(time_text(item.time))
    return lines


def _camera(cam_id: int) -> str:
    return 'cam ?' if cam_id < 0 else f'cam {cam_id}'


def _fitting_size(text: str, inches: float) -> float:
    """Font size in points at which a line is no longer than so many inches."""
    return inches * _POINTS_PER_INCH / (_CHARACTER_WIDTH * len(text))


def _draw_tile(cell: Axes, image: np.ndarray | None, path: str, colour: str, line) -> None:
    """Show an image, or its name when there is none, in a frame."""
    cell.set_xticks([])
    cell.set_yticks([])
    if image is None:
        cell.set_facecolor(_GREY)
        reason = 'unreadable' if osp.exists(path) else 'missing'
        name = '\n'.join(textwrap.wrap(printable(osp.basename(path)), 11)[:6])
        cell.text(
            *(0.5, 0.5, f'{reason}:\n{name}'),
            transform=cell.transAxes,
            parse_math=False,
            fontsize=6.5,
            ha='center',
            va='center',
        )
    else:
        cell.imshow(image, interpolation='bilinear')
    for spine in cell.spines.values():
        spine.set(color=colour, linewidth=2.4, linestyle=line)


def _draw_legend(page: _Page, queries: Sequence[RankedQuery]) -> None:
    style = dict(fontsize=8, va='center')
    top = page.height - 0.16
    items = [item for query in queries for item in query.items]
    below = 'similarity' if any(item.similarity is not None for item in items) else 'distance'
    if any(
        item.pid is not None and query.pid is not None for query in queries for item in query.items
    ):
        page.text(_MARGIN, top, '✓ solid: same person', color=_RIGHT, **style)
        page.text(_MARGIN + 1.45, top, '✗ dashed: someone else', color=_WRONG, **style)
        page.text(_MARGIN + 3.1, top, f'below: {below}, id, camera', color=_QUERY, **style)
    elif items:
        page.text(
            _MARGIN, top, f'most similar first; below: {below}, camera', color=_QUERY, **style
        )
