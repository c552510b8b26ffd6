"""Where in an image each token looks."""

from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Share of the overlay that is heat where a token looks the most.
_STRENGTH = 0.75
# Inches.
_TILE_HEIGHT, _GAP, _ABOVE, _BELOW, _FOOTER = 1.9, 0.16, 0.24, 0.2, 0.34
_LEGEND = (
    'Number and arrow: mean height of the attention, 0 top edge, 1 bottom.\n'
    'Each map is scaled by its own maximum.'
)


def attention_heights(attention: np.ndarray) -> np.ndarray:
    """Mean height at which tokens look, from 0, the top, to 1; maps (..., h, w) sum to 1."""
    rows = attention.sum(-1)
    return rows @ ((np.arange(rows.shape[-1]) + 0.5) / rows.shape[-1])


def overlay_attention(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Lay the attention of a token (h, w), scaled by its maximum, over an image (H, W, 3) uint8.

    Returns (H, W, 3) float, RGB in [0, 1]: gray where the token does not look.
    """
    relative = (attention / max(float(attention.max()), 1e-12)).astype(np.float32)
    enlarged = cv2.resize(relative, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    share = enlarged.clip(0, 1)[..., None]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] / 255
    heat = matplotlib.colormaps['inferno'](share[..., 0])[..., :3]
    weight = _STRENGTH * np.sqrt(share)
    return gray * (1 - weight) + heat * weight


def draw_part_attention(
    images: Sequence[np.ndarray],
    attention: np.ndarray,
    captions: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw one row for each image: the image, then where [CLS] and each [PART] look.

    The N images are (H, W, 3) uint8, RGB, of any sizes; the attention is (N, 1 + L, h, w), as
    :meth:`PartViT.part_attention` gives it. A caption stands below its image.
    """
    captions = captions or [''] * len(images)
    columns = 1 + attention.shape[1]
    aspect = np.median([image.shape[1] / image.shape[0] for image in images])
    tile_width = _TILE_HEIGHT * float(np.clip(aspect, 0.42, 2))
    top = 0.34 if title else 0
    width = columns * (tile_width + _GAP) + _GAP
    height = top + len(images) * (_ABOVE + _TILE_HEIGHT + _BELOW) + _FOOTER
    figure = Figure(figsize=(width, height), facecolor='white')
    if title:
        style: dict[str, Any] = dict(fontsize=10, fontweight='bold', va='center', parse_math=False)
        figure.text(_GAP / width, 1 - 0.2 / height, title, **style)
    figure.subplots_adjust(
        left=_GAP / width,
        right=1 - _GAP / width,
        top=1 - (top + _ABOVE) / height,
        bottom=(_FOOTER + _BELOW) / height,
        wspace=_GAP / tile_width,
        hspace=(_ABOVE + _BELOW) / _TILE_HEIGHT,
    )
    cells = figure.subplots(len(images), columns, squeeze=False)
    for row, image, maps, caption in zip(cells, images, attention, captions, strict=True):
        pixels = [image, *(overlay_attention(image, one) for one in maps)]
        for cell, shown in zip(row, pixels, strict=True):
            cell.imshow(shown, interpolation='bilinear', aspect='auto')
            cell.set_axis_off()
        style = dict(transform=row[0].transAxes, fontsize=6.5, va='top', parse_math=False)
        row[0].text(0, -0.02, caption, **style)
        for token, (cell, center) in enumerate(zip(row[1:], attention_heights(maps), strict=True)):
            name = f'PART {token}' if token else 'CLS'
            cell.set_title(f'[{name}]  {center:.2f}', fontsize=8, pad=3)
            style = dict(marker='>', markersize=6, color='#00b4d8', clip_on=False)
            cell.plot(-0.03, 1 - center, transform=cell.transAxes, **style)
    figure.text(_GAP / width, 0.1 / height, _LEGEND, fontsize=6.5, color='#444444', linespacing=1.3)
    return figure
