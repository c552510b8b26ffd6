"""The two kinds of bodies a figure is made of: tubes (trunk, head) and limbs."""

import numpy as np
from numpy.typing import ArrayLike

from .canvas import Canvas, Color, View

Heights = np.ndarray | float
HALF_TURN = np.pi
_SAMPLES = 6
_STEPS = np.linspace(0.0, 1.0, _SAMPLES)
# A patch outline runs along the top, down the right side, back along the bottom and up.
_OUTLINE_ACROSS = np.concatenate([_STEPS, np.ones(_SAMPLES), _STEPS[::-1], np.zeros(_SAMPLES)])
_OUTLINE_DOWN = np.roll(_OUTLINE_ACROSS, _SAMPLES)
# Nested bands (from, to, level) of a rounded surface lit from the right; angles as share of the
# visible half turn.
_BANDS = np.array([[-1.0, 1.0], [-0.72, 0.94], [-0.25, 0.76]])
_LEVELS = (92, 116, 136)
_CAP_ANGLES = np.linspace(-np.pi / 2, np.pi / 2, _SAMPLES)
# Flatter than a half circle, so that sleeves and trouser legs do not end in a ball.
_CAP = 0.6 * np.cos(_CAP_ANGLES) + 1j * np.sin(_CAP_ANGLES)
_HALF_WIDTHS = (_BANDS[:, 1] - _BANDS[:, 0]) / 2
# A capsule along +x, nested (levels, P): first the rim around its end, then around its start.
_RIMS = _HALF_WIDTHS[:, None] * np.concatenate([_CAP, -_CAP])
_LIT_SIDE = _BANDS.mean(axis=1)[:, None]


class Tube:
    """An upright body with elliptic cross-sections, such as a trunk, a skirt or a head.

    Cross-sections are given by ascending heights, half axes to the side and along the facing
    direction, each (R,), and by the lateral and forward position of the axis, scalar or (R,).
    """

    def __init__(
        self,
        view: View,
        heights: ArrayLike,
        half_widths: ArrayLike,
        half_depths: ArrayLike,
        shift: tuple[ArrayLike, ArrayLike],
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
        """Outline the visible part of one patch around an angle, faster than ``patches``."""
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
        """Outline the visible parts (M, P, 2) of patches between angles from the front."""
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
        self, lower: np.ndarray, upper: np.ndarray, top: Heights, bottom: Heights
    ) -> np.ndarray:
        """Outline patches (K, P, 2) within a quarter turn from the direction to the camera."""
        angles = lower[:, None] + (upper - lower)[:, None] * _OUTLINE_ACROSS + self.facing
        if isinstance(top, np.ndarray) and isinstance(bottom, np.ndarray):
            top, bottom = top[:, None], bottom[:, None]
        return self.project(angles, top + (bottom - top) * _OUTLINE_DOWN)

    def rings(self, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        """Outline the visible half of rings between heights, (K,) each."""
        half = np.full(len(top), HALF_TURN / 2)
        return self.outline(-half, half, top, bottom)

    def paint(self, canvas: Canvas, color: Color) -> None:
        """Paint the visible surface and round it by shading."""
        bands = _BANDS * HALF_TURN / 2
        outlines = self.outline(
            bands[:, 0], bands[:, 1], float(self.heights[-1]), float(self.heights[0])
        )
        canvas.paint_rounded(outlines, color, _LEVELS)


class Limb:
    """Rounded segments (K, 3) whose radii change from start to end (K, 2): arms, legs, feet."""

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
        outlines[..., :_SAMPLES] *= self.radii[:, 1, None, None]
        outlines[..., :_SAMPLES] += end
        outlines[..., _SAMPLES:] *= self.radii[:, 0, None, None]
        outlines[..., _SAMPLES:] += start
        self._outlines = _as_pairs(outlines)

    def paint(self, canvas: Canvas, color: Color, which: slice | list[int] = slice(None)) -> None:
        """Paint segments in the order of ``which``, each rounded by shading."""
        for outlines in self._outlines[which]:
            canvas.paint_rounded(outlines, color, _LEVELS)

    def bands(
        self, index: int, edges: np.ndarray, across: tuple[float, float] = (-1.0, 1.0)
    ) -> np.ndarray:
        """Outline bands (K, 4, 2) between two shares of a segment's length and of its radius."""
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
