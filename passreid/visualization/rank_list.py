"""Queries beside what was found for them."""

import math
import os.path as osp
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from passreid.datasets.transforms import LoadPersonImage

# Told apart by those who see no difference between red and green too.
_RIGHT, _WRONG, _QUERY = '#008a5e', '#d0310e', '#333333'
_GREY = '#c8c8c8'
# Inches.
_TILE_WIDTH, _GAP, _QUERY_GAP, _MARGIN = 0.8, 0.12, 0.22, 0.15
_HEADER, _RANK, _CAPTION, _ROW_GAP = 0.24, 0.2, 0.34, 0.14
_TITLE, _LEGEND = 0.36, 0.3
_POINTS_PER_INCH = 72
# Width of a character in units of the font size; what is longer gets a smaller font.
_CHARACTER_WIDTH = 0.6


@dataclass(frozen=True)
class RankedItem:
    """A gallery image that was found.

    Attributes:
        img_path (str): The image. One that cannot be read is drawn as a grey tile.
        pid (int): Whom it shows.
        cam_id (int): Its camera, -1 when unknown.
        distance (float): Its distance to the query.
    """

    img_path: str
    pid: int
    cam_id: int
    distance: float


@dataclass(frozen=True)
class RankedQuery:
    """A query and what was found for it, nearest first.

    Attributes:
        img_path (str): The image.
        pid (int): Whom it shows.
        cam_id (int): Its camera, -1 when unknown.
        average_precision (float): In [0, 1]; NaN when the gallery has no match that counts.
        items (Sequence[RankedItem]): What was found; may be fewer than those of other queries.
    """

    img_path: str
    pid: int
    cam_id: int
    average_precision: float
    items: Sequence[RankedItem]


def draw_rank_list(queries: Sequence[RankedQuery], title: str | None = None) -> Figure:
    """Draw one row for each query: the query, then what was found, nearest first.

    Items of the right person have a solid green frame and a tick, others a dashed red one and
    a cross. Below each are its distance, camera and id.

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
    images = {
        path: _read(path)
        for query in queries
        for path in (query.img_path, *(item.img_path for item in query.items))
    }
    columns = max(len(query.items) for query in queries)
    tile_height = _TILE_WIDTH * _typical_aspect(images.values())
    row_height = _HEADER + _RANK + tile_height + _CAPTION + _ROW_GAP
    width = 2 * _MARGIN + _TILE_WIDTH + _QUERY_GAP + columns * (_TILE_WIDTH + _GAP)
    width = max(width, 5.2)
    top = _TITLE if title else _MARGIN
    page = _Page(width, top + len(queries) * row_height + _LEGEND, tile_height)
    if title:
        page.text(_MARGIN, 0.2, title, fontsize=11, fontweight='bold', va='center')
    for row, query in enumerate(queries):
        _draw_row(page, query, images, top + row * row_height)
    _draw_legend(page)
    return page.figure


class _Page:
    """A figure measured in inches from its top left corner."""

    def __init__(self, width: float, height: float, tile_height: float) -> None:
        self.figure = Figure(figsize=(width, height), facecolor='white')
        self.width, self.height, self.tile_height = width, height, tile_height

    def text(self, left: float, top: float, text: str, **style) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, **style)

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
        with open(path, 'rb') as file:
            return LoadPersonImage().decode(file.read())[..., ::-1]
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
    precision = query.average_precision
    score = 'no match in the gallery' if math.isnan(precision) else f'AP {precision:.1%}'
    names = f'{osp.basename(query.img_path)}    id {query.pid}    {_camera(query.cam_id)}'
    header = f'{names}    {score}'
    page.text(_MARGIN, top + _HEADER / 2, header, fontsize=9, fontweight='bold', va='center')
    above, tiles = top + _HEADER + _RANK / 2, top + _HEADER + _RANK
    below = tiles + page.tile_height + 0.05
    style = dict(ha='center', va='center', fontsize=9)
    page.text(_MARGIN + _TILE_WIDTH / 2, above, 'query', color=_QUERY, **style)
    _draw_tile(page.tile(_MARGIN, tiles), images[query.img_path], query.img_path, _QUERY, '-')
    for rank, item in enumerate(query.items):
        left = _MARGIN + _TILE_WIDTH + _QUERY_GAP + rank * (_TILE_WIDTH + _GAP)
        right = item.pid == query.pid
        colour, line, sign = (_RIGHT, '-', '✓') if right else (_WRONG, (0, (3.5, 2)), '✗')
        centre = left + _TILE_WIDTH / 2
        page.text(centre, above, f'{rank + 1} {sign}', color=colour, **style)
        _draw_tile(page.tile(left, tiles), images[item.img_path], item.img_path, colour, line)
        lines = (f'{item.distance:.3g}', f'id {item.pid}, {_camera(item.cam_id)}')
        for number, text in enumerate(lines):
            size = min(7.5, _fitting_size(text, _TILE_WIDTH + _GAP))
            page.text(centre, below + 0.14 * number, text, fontsize=size, ha='center', va='top')


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
        name = '\n'.join(textwrap.wrap(osp.basename(path), 11)[:6])
        cell.text(
            *(0.5, 0.5, f'{reason}:\n{name}'),
            transform=cell.transAxes,
            fontsize=6.5,
            ha='center',
            va='center',
        )
    else:
        cell.imshow(image, interpolation='bilinear')
    for spine in cell.spines.values():
        spine.set(color=colour, linewidth=2.4, linestyle=line)


def _draw_legend(page: _Page) -> None:
    style = dict(fontsize=8, va='center')
    top = page.height - 0.16
    page.text(_MARGIN, top, '✓ solid: same person', color=_RIGHT, **style)
    page.text(_MARGIN + 1.45, top, '✗ dashed: someone else', color=_WRONG, **style)
    page.text(_MARGIN + 3.1, top, 'below: distance, id, camera', color=_QUERY, **style)
