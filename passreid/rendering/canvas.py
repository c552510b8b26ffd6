"""A supersampled picture that keeps color and shading apart, and the view that is drawn on it."""

import cv2
import numpy as np

Color = tuple[float, float, float]

# Level of the shading layer that leaves the color as it is.
NEUTRAL = 128
# Polygon vertices are passed to opencv as fixed-point numbers with this many fractional bits.
_FRACTION_BITS = 3


def shaded(color: Color, factor: float) -> Color:
    """Return a color, darker or brighter by a factor."""
    return factor * color[0], factor * color[1], factor * color[2]


class Canvas:
    """Polygons go onto a color layer and a shading layer, which are multiplied at the end.

    The shading layer is blurred before, so that a few nested polygons look like a rounded body.
    The background, (H, W, 3) uint8, BGR, has the supersampled size and is painted over.
    """

    def __init__(self, background: np.ndarray) -> None:
        self.color = background
        self.shade: np.ndarray = np.full(background.shape[:2], NEUTRAL, dtype=np.uint8)

    def paint(self, polygons: np.ndarray, color: Color) -> None:
        """Fill disjoint polygons (K, P, 2) of supersampled pixels with blue, green and red."""
        if len(polygons):
            cv2.fillPoly(self.color, _fixed_point(polygons), color, cv2.LINE_8, _FRACTION_BITS)

    def paint_rounded(self, outlines: np.ndarray, color: Color, levels: tuple[float, ...]) -> None:
        """Fill the first of nested outlines (L, P, 2) with a color and shade all of them."""
        fixed = _fixed_point(outlines)
        cv2.fillPoly(self.color, fixed[:1], color, cv2.LINE_8, _FRACTION_BITS)
        for outline, level in zip(fixed, levels, strict=True):
            cv2.fillPoly(self.shade, [outline], level, cv2.LINE_8, _FRACTION_BITS)

    def darken(self, polygons: np.ndarray, level: float) -> None:
        """Set the shading inside polygons; ``NEUTRAL`` leaves the color, less is darker."""
        if len(polygons):
            cv2.fillPoly(self.shade, _fixed_point(polygons), level, cv2.LINE_8, _FRACTION_BITS)

    def crease(self, lines: np.ndarray, level: float, thickness: int) -> None:
        """Draw soft folds as open lines (K, P, 2) on the shading layer."""
        cv2.polylines(
            self.shade, _fixed_point(lines), False, level, thickness, cv2.LINE_8, _FRACTION_BITS
        )

    def finish(self, size: tuple[int, int], blur: int) -> np.ndarray:
        """Shrink both layers, smooth the shading by a box of ``blur`` pixels, multiply them."""
        color, shade = (
            cv2.resize(layer, size[::-1], interpolation=cv2.INTER_AREA)
            for layer in (self.color, self.shade)
        )
        shade = cv2.blur(cv2.blur(shade, (blur, blur)), (blur, blur))
        return cv2.multiply(color, cv2.cvtColor(shade, cv2.COLOR_GRAY2BGR), scale=1 / NEUTRAL)


def _fixed_point(polygons: np.ndarray) -> list[np.ndarray]:
    return list(np.rint(np.asarray(polygons) * (1 << _FRACTION_BITS)).astype(np.int32, order='C'))


class View:
    """How a camera sees a standing body: orthographic, from a yaw angle and slightly above.

    Body coordinates have the standing height of the person as unit: x points to the person's
    left, y up from the ground, z to where the person faces. A yaw of 0 shows the front, pi the
    back and pi/2 the person's right side, walking to the right of the picture. ``scale`` is the
    number of picture pixels for one body height, ``stretch`` the horizontal scale relative to the
    vertical one, ``origin`` the picture position of the point on the ground below the body.
    """

    def __init__(
        self,
        yaw: float,
        elevation: float,
        scale: float,
        stretch: float,
        origin: tuple[float, float],
    ) -> None:
        self.elevation, self.scale, self.stretch, self.origin = elevation, scale, stretch, origin
        self.cos, self.sin = float(np.cos(yaw)), float(np.sin(yaw))
        # What is nearer to a raised camera lies lower in the picture.
        lower = np.sin(elevation)
        sideways = [stretch * self.cos, -self.sin * lower]
        forwards = [stretch * self.sin, self.cos * lower]
        self._matrix = scale * np.array([sideways, [0.0, -np.cos(elevation)], forwards])
        # What one body height to the left or forwards adds to picture x and (imaginary) y.
        self.axis_x, self.axis_z = complex(*self._matrix[0]), complex(*self._matrix[2])

    def nearness(self, x: float, z: float) -> float:
        """Return how far the point lies in front of the body axis, seen by the camera."""
        return z * self.cos - x * self.sin

    def project(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 3), x, y, z in body heights, to picture x and y (..., 2) in pixels."""
        return np.asarray(points) @ self._matrix + self.origin
