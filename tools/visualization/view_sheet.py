"""Contact sheet of the views of images and of where they were cut."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec
from matplotlib.patches import Rectangle

from passreid.datasets.transforms import part_areas

_AREA_COLOURS = ('#d81b60', '#1e88e5', '#e6a700', '#43a047', '#8e24aa', '#6d4c41')
_GLOBAL_COLOURS = ('#111111', '#00897b')
_ROW_INCHES = 3.6
_BRACKET_SHARE = 0.1
_WHOLE_COLUMNS = 3


@dataclass
class ViewedImage:
    """An image and its views, all RGB in [0, 1].

    Attributes:
        image (np.ndarray): The image, (H, W, 3).
        global_views (np.ndarray): (G, H, W, 3).
        local_views (np.ndarray): (V, h, w, 3), ordered by area.
        global_boxes (np.ndarray): Top, left, height and width of each global view, (G, 4).
        local_boxes (np.ndarray): The same for each local view, (V, 4).
    """

    image: np.ndarray
    global_views: np.ndarray
    local_views: np.ndarray
    global_boxes: np.ndarray
    local_boxes: np.ndarray


def draw_sheet(images: list[ViewedImage], num_parts: int) -> Figure:
    """Draw one row for each image: its areas, its boxes, its global and its local views.

    Args:
        images (list[ViewedImage]): The images and their views.
        num_parts (int): Number of areas; 0 when local views were cut from the whole image.

    Returns:
        Figure: The sheet, to be saved with ``savefig``.
    """
    num_global, num_local = len(images[0].global_views), len(images[0].local_views)
    rows = num_parts or max(1, -(-num_local // _WHOLE_COLUMNS))
    columns = -(-num_local // rows)
    local_height, local_width = images[0].local_views.shape[1:3]
    grid_width = columns * (local_width / local_height) / rows * 1.15
    global_height, global_width = images[0].global_views.shape[1:3]
    image_width = min(max(viewed.image.shape[1] / viewed.image.shape[0] for viewed in images), 2)
    widths = [
        image_width * (1 + _BRACKET_SHARE * num_parts) + 0.03,
        image_width + 0.03,
        *[global_width / global_height + 0.03] * num_global,
        max(grid_width, 0.3),
    ]
    figure = Figure(
        figsize=(sum(widths) * _ROW_INCHES * 1.06, _ROW_INCHES * len(images) + 0.4),
        layout='constrained',
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04, wspace=0, hspace=0)
    grid = GridSpec(len(images), len(widths), figure, width_ratios=widths)
    for row, viewed in enumerate(images):
        titles = row == 0
        cells = [figure.add_subplot(grid[row, column]) for column in range(2 + num_global)]
        _draw_areas(cells[0], viewed.image, num_parts)
        _draw_boxes(cells[1], viewed, num_parts)
        for view, (cell, pixels) in enumerate(zip(cells[2:], viewed.global_views, strict=True)):
            _show(cell, pixels, _GLOBAL_COLOURS[view % len(_GLOBAL_COLOURS)], dashed=True)
            if titles:
                cell.set_title(f'global view {view + 1}', fontsize=10)
        if titles:
            cells[0].set_title('areas' if num_parts else 'image', fontsize=10)
            cells[1].set_title('crops', fontsize=10)
        local_grid = GridSpecFromSubplotSpec(rows, columns, grid[row, -1])
        for view, pixels in enumerate(viewed.local_views):
            cell = figure.add_subplot(local_grid[divmod(view, columns)])
            colour = _area_colour(view, num_local, num_parts)
            _show(cell, pixels, colour)
            if num_parts and view % columns == 0:
                cell.set_ylabel(f'area {view // columns + 1}', fontsize=9, color=colour)
            if titles and view == columns // 2:
                cell.set_title('local views', fontsize=10)
    return figure


def _area_colour(view: int, num_local: int, num_parts: int) -> str:
    """Colour of the area that a local view was cut from."""
    area = view * num_parts // num_local
    return _AREA_COLOURS[area % len(_AREA_COLOURS)]


def _show(cell: Axes, pixels: np.ndarray, colour: str = 'none', dashed: bool = False) -> None:
    """Show pixels in a coloured frame, without ticks."""
    cell.imshow(pixels, interpolation='bilinear')
    cell.set_xticks([])
    cell.set_yticks([])
    for spine in cell.spines.values():
        spine.set(color=colour, linewidth=2.2, linestyle='--' if dashed else '-')


def _draw_areas(cell: Axes, image: np.ndarray, num_parts: int) -> None:
    """Show the image with a bracket beside it for each area."""
    height, width = image.shape[:2]
    _show(cell, image)
    step = _BRACKET_SHARE * width
    for area, (top, _, area_height, _) in enumerate(part_areas(height, width, num_parts)):
        if not num_parts:
            break
        colour = _AREA_COLOURS[area % len(_AREA_COLOURS)]
        left = width + step * (area + 0.6)
        cell.plot([left, left], [top, top + area_height - 1], color=colour, linewidth=4)
        cell.text(
            left,
            top + area_height / 2,
            str(area + 1),
            color='white',
            fontsize=8,
            ha='center',
            va='center',
            bbox={'boxstyle': 'circle,pad=0.15', 'color': colour},
        )
    cell.set_xlim(-0.5, width + step * (num_parts + 0.2))
    cell.set_ylim(height - 0.5, -0.5)


def _draw_boxes(cell: Axes, viewed: ViewedImage, num_parts: int) -> None:
    """Show the image with the box of each view in the colour of its frame."""
    _show(cell, viewed.image)
    for view, box in enumerate(viewed.local_boxes):
        _outline(cell, box, _area_colour(view, len(viewed.local_boxes), num_parts), '-')
    for view, box in enumerate(viewed.global_boxes):
        _outline(cell, box, _GLOBAL_COLOURS[view % len(_GLOBAL_COLOURS)], '--')


def _outline(cell: Axes, box: np.ndarray, colour: str, line: str) -> None:
    """Outline one box."""
    top, left, height, width = box
    corner = (left - 0.5, top - 0.5)
    cell.add_patch(
        Rectangle(corner, width, height, fill=False, edgecolor=colour, linestyle=line, lw=1.6)
    )
