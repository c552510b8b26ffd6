"""The two kinds of bodies a figure is made of: tubes (trunk, head) and limbs."""

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Canvas, Color, View

HALF_TURN = np.pi
_SIDE_SAMPLES = 6
_ARC_SAMPLES = 6
_LEFT_TO_RIGHT = np.linspace(0.0, 1.0, _ARC_SAMPLES)
_TOP_TO_BOTTOM = np.linspace(0.0, 1.0, _SIDE_SAMPLES)
# A patch outline runs along the top, down the right side, back along the bottom and up.
_OUTLINE_ACROSS = np.concatenate(
    [_LEFT_TO_RIGHT, np.ones(_SIDE_SAMPLES), _LEFT_TO_RIGHT[::-1], np.zeros(_SIDE_SAMPLES)]
)
_OUTLINE_DOWN = np.concatenate(
    [np.zeros(_ARC_SAMPLES), _TOP_TO_BOTTOM, np.ones(_ARC_SAMPLES), _TOP_TO_BOTTOM[::-1]]
)
# Nested bands (from, to, level) of a rounded surface lit from the right; angles as share of the
# visible half turn.
_BANDS = np.array([[-1.0, 1.0], [-0.72, 0.94], [-0.25, 0.76]])
_LEVELS = (92, 116, 136)
_CAP_SAMPLES = 6
_CAP_ANGLES = np.linspace(-np.pi / 2, np.pi / 2, _CAP_SAMPLES)
# Flatter than a half circle, so that sleeves and trouser legs do not end in a ball.
_CAP = 0.6 * np.cos(_CAP_ANGLES) + 1j * np.sin(_CAP_ANGLES)
_HALF_WIDTHS = (_BANDS[:, 1] - _BANDS[:, 0]) / 2
# A capsule along +x, nested (levels, P): first the rim around its end, then around its start.
_RIMS = _HALF_WIDTHS[:, None] * np.concatenate([_CAP, -_CAP])
_LIT_SIDE = _BANDS.mean(axis=1)[:, None]


class Tube:
    """An upright body with elliptic cross-sections, such as a trunk, a skirt or a head.

    Args:
        view: The view it is drawn in.
        heights: Heights of the cross-sections in body units, ascending, (R,).
        half_widths: Lateral half axes at these heights, (R,).
        half_depths: Half axes along the facing direction, (R,).
        shift: Lateral and forward position of the axis at these heights, each scalar or (R,).
    """

    def __init__(
        self,
        view: View,
        heights: ArrayLike,
        half_widths: ArrayLike,
        half_depths: ArrayLike,
        shift: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    ) -> None:
        self.view = view
        self.heights = np.asarray(heights, dtype=np.float64)
        half_widths, half_depths = np.asarray(half_widths), np.asarray(half_depths)
        axis = np.empty((len(self.heights), 3))
        axis[:, 0], axis[:, 1], axis[:, 2] = shift[0], self.heights, shift[1]
        # Projection is linear, so each cross-section is an ellipse of the picture: its center
        # and the vectors that sine and cosine of the angle multiply, as complex numbers.
        self._center = _as_complex(view.project(axis))
        self._sideways = half_widths * view.axis_x
        self._forwards = half_depths * view.axis_z
        ratio = float(half_widths.sum() / half_depths.sum())
        # Angle (from the front towards the person's left) of the surface that faces the camera.
        self.facing = float(np.arctan2(-view.sin / ratio, view.cos))

    def project(self, angles: np.ndarray, heights: np.ndarray, inflate: float = 1.0) -> np.ndarray:
        """Return picture positions (..., 2) of surface points given by angle and height."""
        known = self.heights
        across = np.interp(heights, known, self._sideways) * np.sin(angles)
        across += np.interp(heights, known, self._forwards) * np.cos(angles)
        return _as_pairs(np.interp(heights, known, self._center) + inflate * across)

    def patch(self, middle: float, half: float, top: float, bottom: float) -> np.ndarray:
        """Outline the visible part of one patch around an angle; see :meth:`patches`."""
        middle = (middle - self.facing + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
        quarter = HALF_TURN / 2
        pieces = [
            (max(middle + turn - half, -quarter), min(middle + turn + half, quarter))
            for turn in (0.0, -2 * HALF_TURN, 2 * HALF_TURN)
        ]
        visible = [piece for piece in pieces if piece[1] > piece[0] + 1e-3]
        if not visible:
            return np.empty((0, len(_OUTLINE_ACROSS), 2))
        seen = np.array(visible)
        return self.outline(seen[:, 0], seen[:, 1], top, bottom)

    def patches(
        self, first: ArrayLike, last: ArrayLike, top: ArrayLike, bottom: ArrayLike
    ) -> np.ndarray:
        """Outline the visible parts of patches of the surface.

        Args:
            first: Smaller angles of the patches in radians from the front, (K,) or scalar.
            last: Larger angles, (K,) or scalar.
            top: Upper heights, (K,) or scalar.
            bottom: Lower heights, (K,) or scalar.

        Returns:
            Array (M, P, 2): the outlines; patches behind the body are left out.
        """
        first, last, top, bottom = np.broadcast_arrays(*np.atleast_1d(first, last, top, bottom))
        middle = (first + last) / 2 - self.facing
        middle = (middle + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
        half = (last - first) / 2
        turns = np.array([0.0, -2 * HALF_TURN, 2 * HALF_TURN])[:, None]
        lower = np.maximum(middle + turns - half, -HALF_TURN / 2)
        upper = np.minimum(middle + turns + half, HALF_TURN / 2)
        _, index = visible = np.nonzero(upper > lower + 1e-3)
        return self.outline(lower[visible], upper[visible], top[index], bottom[index])

    def outline(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        top: np.ndarray | float,
        bottom: np.ndarray | float,
    ) -> np.ndarray:
        """Outline patches given by angles (K,) relative to the direction to the camera.

        Args:
            lower: Smaller angles in radians, (K,), at least -pi/2.
            upper: Larger angles, (K,), at most pi/2.
            top: Upper heights, (K,) or one for all.
            bottom: Lower heights, alike.

        Returns:
            Array (K, P, 2) of picture positions.
        """
        angles = lower[:, None] + (upper - lower)[:, None] * _OUTLINE_ACROSS + self.facing
        if isinstance(top, np.ndarray) and isinstance(bottom, np.ndarray):
            top, bottom = top[:, None], bottom[:, None]
        return self.project(angles, top + (bottom - top) * _OUTLINE_DOWN)

    def paint(self, canvas: Canvas, color: Color) -> None:
        """Paint the visible surface and round it by shading."""
        bands = _BANDS * HALF_TURN / 2
        outlines = self.outline(
            bands[:, 0], bands[:, 1], float(self.heights[-1]), float(self.heights[0])
        )
        canvas.paint_rounded(outlines, color, _LEVELS)


class Limb:
    """Rounded segments of changing thickness: arms, legs, feet, straps of hair.

    Args:
        view: The view they are drawn in.
        starts: First ends in body coordinates, (K, 3).
        ends: Second ends, (K, 3).
        radii: Radii at both ends in body units, (K, 2).
    """

    def __init__(self, view: View, starts: ArrayLike, ends: ArrayLike, radii: ArrayLike) -> None:
        self.view = view
        self.starts = view.project(np.atleast_2d(starts))
        self.ends = view.project(np.atleast_2d(ends))
        self.radii = np.atleast_2d(radii) * view.scale * (1 + view.stretch) / 2
        start, end = (_as_complex(points)[:, None, None] for points in (self.starts, self.ends))
        direction = end - start
        direction /= np.abs(direction) + 1e-6
        # (K, levels, P): from the whole segment to its lit middle.
        outlines = direction * _RIMS + _LIT_SIDE
        outlines[..., :_CAP_SAMPLES] *= self.radii[:, 1, None, None]
        outlines[..., :_CAP_SAMPLES] += end
        outlines[..., _CAP_SAMPLES:] *= self.radii[:, 0, None, None]
        outlines[..., _CAP_SAMPLES:] += start
        self._outlines = _as_pairs(outlines)

    def paint(self, canvas: Canvas, color: Color, which: slice | list[int] = slice(None)) -> None:
        """Paint segments in the order of ``which``, each rounded by shading."""
        for outlines in self._outlines[which]:
            canvas.paint_rounded(outlines, color, _LEVELS)

    def bands(
        self, index: int, edges: np.ndarray, across: tuple[float, float] = (-1.0, 1.0)
    ) -> np.ndarray:
        """Outline bands across one segment.

        Args:
            index: The segment.
            edges: Where each band begins and ends along the segment, 0 to 1, (K, 2).
            across: Extent across the segment in radii.

        Returns:
            Array (K, 4, 2) of outlines.
        """
        start, end = self.starts[index], self.ends[index]
        direction = (end - start) / (np.linalg.norm(end - start) + 1e-6)
        normal = np.array([-direction[1], direction[0]])
        along = np.asarray(edges)[:, [0, 0, 1, 1]]
        radius = self.radii[index, 0] + along * (self.radii[index, 1] - self.radii[index, 0])
        side = np.array([across[0], across[1], across[1], across[0]])
        return start + along[..., None] * (end - start) + (side * radius)[..., None] * normal


def _as_complex(points: np.ndarray) -> np.ndarray:
    return points.view(np.complex128)[..., 0]


def _as_pairs(points: np.ndarray) -> np.ndarray:
    return points[..., None].view(np.float64)
