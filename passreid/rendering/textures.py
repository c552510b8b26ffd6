"""Stripes, checks and prints that follow the body they are worn on."""

import numpy as np

from .canvas import Canvas
from .identity import Garment
from .solids import HALF_TURN, Limb, Tube

# Patterns on a trunk are this many radians wide for each body unit of pitch.
_ANGLE_PER_PITCH = 1 / 0.11
_PRINT = (0.66, 0.76)
_YOKE = 0.7
_WHOLE = np.array([[0.0, 1.0]])


def texture_tube(
    canvas: Canvas, tube: Tube, garment: Garment, top: float, bottom: float, rise: float = 0.0
) -> None:
    """Draw the texture of a garment on a trunk or skirt.

    Args:
        canvas: Where to draw.
        tube: The painted body.
        garment: What is worn.
        top: Height at which the texture begins, in body units.
        bottom: Height at which it ends.
        rise: Upward shift of the trunk from its standing height.
    """
    pitch = garment.pitch
    angular = pitch * _ANGLE_PER_PITCH
    if garment.texture == 'stripes':
        upper = np.arange(top, bottom, -2 * pitch)
        lower = np.maximum(upper - pitch, bottom)
        half = np.full(len(upper), HALF_TURN / 2)
        canvas.paint(tube.outline(-half, half, upper, lower), garment.second)
    elif garment.texture == 'bars':
        left = np.arange(-HALF_TURN, HALF_TURN - angular, 2 * angular)
        canvas.paint(tube.patches(left, left + 0.8 * angular, top, bottom), garment.second)
    elif garment.texture == 'checks':
        rows = np.arange(top, bottom, -pitch)
        columns = np.arange(-HALF_TURN, HALF_TURN - angular, 2 * angular)
        upper, left = (grid.ravel() for grid in np.meshgrid(rows, columns))
        left = left + angular * (np.rint((top - upper) / pitch) % 2)
        lower = np.maximum(upper - pitch, bottom)
        canvas.paint(tube.patches(left, left + angular, upper, lower), garment.second)
    elif garment.texture == 'logo':
        high, low = _PRINT[1] + rise, _PRINT[0] + rise
        canvas.paint(tube.patch(0.0, 0.5, high, low), garment.second)
        if garment.pitch > 0.036:
            canvas.paint(tube.patch(HALF_TURN, 0.7, high, low), garment.second)
    elif garment.texture == 'block':
        yoke = tube.patch(tube.facing, HALF_TURN / 2, top + 0.02, _YOKE + rise)
        canvas.paint(yoke, garment.second)
    elif garment.texture == 'open':
        canvas.paint(tube.patch(0.0, 0.42, top + 0.02, bottom), garment.second)


def texture_limb(
    canvas: Canvas, limb: Limb, index: int, garment: Garment, yoke: bool = False
) -> None:
    """Draw the texture of a sleeve or trouser leg on one segment.

    Args:
        canvas: Where to draw.
        limb: The painted segments.
        index: Which of them.
        garment: What is worn.
        yoke: Whether the segment begins at the shoulder.
    """
    start = np.arange(0, 1, garment.pitch / 0.16)
    edges = np.stack([start, np.append(start[1:], 1.0)], axis=1)
    if garment.texture == 'stripes':
        canvas.paint(limb.bands(index, edges[::2]), garment.second)
    elif garment.texture == 'checks':
        canvas.paint(limb.bands(index, edges[::2], (-1.0, 0.0)), garment.second)
        canvas.paint(limb.bands(index, edges[1::2], (0.0, 1.0)), garment.second)
    elif garment.texture == 'bars':
        canvas.paint(limb.bands(index, _WHOLE, (-0.25, 0.25)), garment.second)
    elif garment.texture == 'block' and yoke:
        canvas.paint(limb.bands(index, 0.6 * _WHOLE), garment.second)
