"""Where in an image each token looks."""

from collections.abc import Sequence

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

_COLOUR_MAP = 'inferno'
# Share of the overlay that is heat where a token looks the most.
_STRENGTH = 0.75
_MARK = '#00b4d8'
# Inches.
_TILE_HEIGHT, _GAP, _ABOVE, _BELOW, _FOOTER = 1.9, 0.16, 0.24, 0.2, 0.34
_LEGEND = (
    'Number and arrow: mean height of the attention, 0 top edge, 1 bottom.\n'
    'Each map is scaled by its own maximum.'
)


def attention_heights(attention: np.ndarray) -> np.ndarray:
    """Mean height at which tokens look.

    Args:
        attention (np.ndarray): ``(..., h, w)``, each map summing to 1.

    Returns:
        np.ndarray: ``(...)``, 0 for the top edge of the image, 1 for the bottom.
    """
    rows = attention.sum(-1)
    return rows @ ((np.arange(rows.shape[-1]) + 0.5) / rows.shape[-1])


def overlay_attention(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Lay the attention of one token over an image.

    Args:
        image (np.ndarray): ``(H, W, 3)`` uint8, RGB.
        attention (np.ndarray): ``(h, w)`` over the patches, not negative; shown in proportion to
            its largest value.

    Returns:
        np.ndarray: ``(H, W, 3)`` float, RGB in [0, 1]: the image without its colours where the
        token does not look, and the hotter the more it does.
    """
    height, width = image.shape[:2]
    relative = (attention / max(float(attention.max()), 1e-12)).astype(np.float32)
    enlarged = cv2.resize(relative, (width, height), interpolation=cv2.INTER_CUBIC)
    share = enlarged.clip(0, 1)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255
    heat = matplotlib.colormaps[_COLOUR_MAP](share[..., 0])[..., :3]
    weight = _STRENGTH * np.sqrt(share)
    return grey * (1 - weight) + heat * weight


def draw_part_attention(
    images: Sequence[np.ndarray],
    attention: np.ndarray,
    captions: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one row for each image: the image, then where [CLS] and each [PART] look.

    Above each overlay stands the name of the token and the mean height of its attention, 0 at the
    top edge and 1 at the bottom, where an arrow points.

    Args:
        images (Sequence[np.ndarray]): N images ``(H, W, 3)`` uint8, RGB, of any sizes.
        attention (np.ndarray): ``(N, 1 + L, h, w)`` over the patches, [CLS] first, each map
            summing to 1, as :meth:`PartViT.part_attention` gives it.
        captions (Sequence[str], optional): Text below each image. Defaults to none.
        title (str, optional): Heading. Defaults to none.

    Returns:
        Figure: To be saved with :func:`write_png`.

    Raises:
        ValueError: When there are no images, or not as many as attention maps or captions.
    """
    captions = captions or [''] * len(images)
    if not len(images) == len(attention) == len(captions) > 0:
        raise ValueError(
            f'{len(images)} images, attention of {len(attention)} and {len(captions)} captions: '
            'there must be as many of each, and at least one'
        )
    names = ['[CLS]', *(f'[PART {part}]' for part in range(1, attention.shape[1]))]
    heights = attention_heights(attention)
    aspect = np.median([image.shape[1] / image.shape[0] for image in images])
    tile_width = _TILE_HEIGHT * float(np.clip(aspect, 0.42, 2))
    top = 0.34 if title else 0
    row = _ABOVE + _TILE_HEIGHT + _BELOW
    width = (1 + len(names)) * (tile_width + _GAP) + _GAP
    height = top + len(images) * row + _FOOTER
    figure = Figure(figsize=(width, height), facecolor='white')
    if title:
        place = (_GAP / width, 1 - 0.2 / height)
        figure.text(*place, title, fontsize=10, fontweight='bold', va='center')
    grid = GridSpec(
        *(len(images), 1 + len(names), figure),
        left=_GAP / width,
        right=1 - _GAP / width,
        top=1 - (top + _ABOVE) / height,
        bottom=(_FOOTER + _BELOW) / height,
        wspace=_GAP / tile_width,
        hspace=(_ABOVE + _BELOW) / _TILE_HEIGHT,
    )
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        cell = _draw_tile(figure.add_subplot(grid[index, 0]), image)
        # A dollar sign would begin a formula.
        text = caption.replace('$', r'\$')
        cell.text(0, -0.02, text, transform=cell.transAxes, fontsize=6.5, va='top')
        for token, name in enumerate(names):
            overlay = overlay_attention(image, attention[index, token])
            cell = _draw_tile(figure.add_subplot(grid[index, 1 + token]), overlay)
            centre = heights[index, token]
            cell.set_title(f'{name}  {centre:.2f}', fontsize=8, pad=3)
            (arrow,) = cell.plot(-0.03, 1 - centre, transform=cell.transAxes, clip_on=False)
            arrow.set(marker='>', markersize=6, color=_MARK)
    figure.text(_GAP / width, 0.1 / height, _LEGEND, fontsize=6.5, color='#444444', linespacing=1.3)
    return figure


def _draw_tile(cell: Axes, pixels: np.ndarray) -> Axes:
    cell.imshow(pixels, interpolation='bilinear', aspect='auto')
    cell.set_axis_off()
    return cell
