"""Queries beside what was found for them."""

import os.path as osp
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from passreid.utils.messages import printable

from .pictures import camera_text, read_image, similarity_text, time_text

# Told apart by those who see no difference between red and green too.
_RIGHT, _WRONG, _DARK, _UNKNOWN = '#008a5e', '#d0310e', '#333333', '#8a8a8a'
# Inches.
_TILE, _GAP, _QUERY_GAP, _MARGIN = 0.8, 0.12, 0.22, 0.15
_HEADER, _RANK, _LINE, _ROW_GAP, _TITLE, _LEGEND = 0.24, 0.2, 0.14, 0.2, 0.36, 0.3


@dataclass(frozen=True)
class RankedItem:
    """A gallery image that was found; one that cannot be read is drawn as a gray tile."""

    img_path: str
    pid: int | None  # Whom it shows; None when unknown.
    cam_id: int  # -1 when unknown.
    distance: float | None = None  # To the query.
    similarity: float | None = None  # Cosine to the query, shown instead of the distance.
    time: float | None = None  # When it was taken, see `time_text`.
    image: np.ndarray | None = None  # Pixels (H, W, 3) uint8 in RGB of what is no file.


@dataclass(frozen=True)
class RankedQuery:
    """A query and what was found for it, nearest first; see :class:`RankedItem`."""

    img_path: str
    pid: int | None
    cam_id: int
    average_precision: float | None  # In [0, 1]; NaN without a match; None when unknown.
    items: Sequence[RankedItem]
    image: np.ndarray | None = None


def draw_rank_list(queries: Sequence[RankedQuery], title: str | None = None) -> Figure:
    """Draw one row for each query: the query, then what was found, nearest first.

    Items of the right person have a solid green frame and a tick, others a dashed red one and
    a cross; where it is not known who is who the frame is gray and there is no sign.
    """
    if not queries:
        raise ValueError('there are no queries to draw')
    items = [item for query in queries for item in query.items]
    shown: list[RankedQuery | RankedItem] = [*queries, *items]
    images = {i.img_path: read_image(i.img_path) if i.image is None else i.image for i in shown}
    aspects = [image.shape[0] / image.shape[1] for image in images.values() if image is not None]
    tile_height = _TILE * float(np.clip(np.median(aspects or 2.0), 1, 3))
    lines = max((len(_caption(item)) for item in items), default=0)
    row_height = _HEADER + _RANK + tile_height + lines * _LINE + _ROW_GAP
    columns = max(len(query.items) for query in queries)
    width = max(2 * _MARGIN + _TILE + _QUERY_GAP + columns * (_TILE + _GAP), 5.2)
    first = _TITLE if title else _MARGIN
    height = first + len(queries) * row_height + _LEGEND
    figure = Figure(figsize=(width, height), facecolor='white')

    def write(left: float, top: float, text: str, **style) -> None:
        style = dict(va='center', color=_DARK) | style
        figure.text(left / width, 1 - top / height, text, parse_math=False, **style)

    def draw(left: float, top: float, path: str, color: str, line: Any = '-') -> None:
        place = (left / width, 1 - (top + tile_height) / height)
        cell = figure.add_axes((*place, _TILE / width, tile_height / height))
        cell.set(xticks=[], yticks=[], facecolor='#c8c8c8')
        image = images[path]
        if image is None:
            reason = 'unreadable' if osp.exists(path) else 'missing'
            name = '\n'.join(textwrap.wrap(printable(osp.basename(path)), 11)[:6])
            style: dict[str, Any] = dict(fontsize=6.5, ha='center', va='center', parse_math=False)
            cell.text(0.5, 0.5, f'{reason}:\n{name}', transform=cell.transAxes, **style)
        else:
            cell.imshow(image, interpolation='bilinear')
        for spine in cell.spines.values():
            spine.set(color=color, linewidth=2.4, linestyle=line)

    if title:
        write(_MARGIN, 0.2, title, fontsize=11, fontweight='bold', color='black')
    for row, query in enumerate(queries):
        top = first + row * row_height
        style = dict(fontsize=9, fontweight='bold', color='black')
        write(_MARGIN, top + _HEADER / 2, _header(query), **style)
        above, tiles = top + _HEADER + _RANK / 2, top + _HEADER + _RANK
        write(_MARGIN + _TILE / 2, above, 'query', ha='center', fontsize=9)
        draw(_MARGIN, tiles, query.img_path, _DARK)
        for rank, item in enumerate(query.items):
            left = _MARGIN + _TILE + _QUERY_GAP + rank * (_TILE + _GAP)
            line: Any = '-'
            if item.pid is None or query.pid is None:
                color, sign = _UNKNOWN, ''
            elif item.pid == query.pid:
                color, sign = _RIGHT, ' ✓'
            else:
                color, sign, line = _WRONG, ' ✗', (0, (3.5, 2))
            center = left + _TILE / 2
            style = dict(ha='center', fontsize=9, color=color if sign else _DARK)
            write(center, above, f'{rank + 1}{sign}', **style)
            draw(left, tiles, item.img_path, color, line)
            for number, text in enumerate(_caption(item)):
                # A character is 0.6 of its size wide, a size of 72 an inch.
                size = min(7.5, (_TILE + _GAP) * 72 / (0.6 * len(text)))
                below = tiles + tile_height + 0.05 + _LINE * number
                style = dict(ha='center', va='top', color='black', fontsize=size)
                write(center, below, text, **style)
    measure = 'similarity' if any(item.similarity is not None for item in items) else 'distance'
    legend = [(0.0, f'most similar first; below: {measure}, camera', _DARK)] if items else []
    if any(i.pid is not None and query.pid is not None for query in queries for i in query.items):
        legend = [(0.0, '✓ solid: same person', _RIGHT), (1.45, '✗ dashed: someone else', _WRONG)]
        legend += [(3.1, f'below: {measure}, id, camera', _DARK)]
    for left, text, color in legend:
        write(_MARGIN + left, height - 0.16, text, color=color, fontsize=8)
    return figure


def _header(query: RankedQuery) -> str:
    parts = [printable(osp.basename(query.img_path))]
    if query.pid is not None:
        parts.append(f'id {query.pid}')
    if query.pid is not None or query.cam_id >= 0:
        parts.append(camera_text(query.cam_id))
    if (precision := query.average_precision) is not None:
        parts.append('no match in the gallery' if isnan(precision) else f'AP {precision:.1%}')
    return '    '.join(parts)


def _caption(item: RankedItem) -> list[str]:
    """Return the lines below an item."""
    lines = []
    if item.similarity is not None:
        lines.append(f'similarity {similarity_text(item.similarity)}')
    elif item.distance is not None:
        lines.append(f'{item.distance:.3g}')
    camera = camera_text(item.cam_id)
    lines.append(camera if item.pid is None else f'id {item.pid}, {camera}')
    return lines if item.time is None else [*lines, time_text(item.time)]
