"""A supersampled picture that keeps color and shading apart, and the view that is drawn on it."""

from dataclasses import dataclass, field

import cv2
import numpy as np

Colour = tuple[float, float, float]

# Level of the shading layer that leaves the colour as it is.
NEUTRAL = 128
# Polygon vertices are passed to opencv as fixed-point numbers with this many fractional bits.
_FRACTION_BITS = 3


class Canvas:
    """Polygons go onto a colour layer and a shading layer, which are multiplied at the end.

    The shading layer is blurred before, so that a few nested polygons look like a rounded body.

    Args:
        background: Array (H, W, 3), uint8, BGR, at the supersampled size; it is painted over.
    """

    def __init__(self, background: np.ndarray) -> None:
        self.colour = background
        self.shade: np.ndarray = np.full(background.shape[:2], NEUTRAL, dtype=np.uint8)

    def paint(self, polygons: np.ndarray, colour: Colour) -> None:
        """Fill disjoint polygons with one colour.

        Args:
            polygons: Array (K, P, 2), float, picture positions in supersampled pixels.
            colour: Blue, green and red, 0 to 255.
        """
        if len(polygons):
            cv2.fillPoly(self.colour, _fixed_point(polygons), colour, cv2.LINE_8, _FRACTION_BITS)

    def paint_rounded(
        self, outlines: np.ndarray, colour: Colour, levels: tuple[float, ...]
    ) -> None:
        """Fill the first of nested outlines (L, P, 2) with a colour and shade all of them."""
        fixed = _fixed_point(outlines)
        cv2.fillPoly(self.colour, fixed[:1], colour, cv2.LINE_8, _FRACTION_BITS)
        for outline, level in zip(fixed, levels, strict=True):
            cv2.fillPoly(self.shade, [outline], level, cv2.LINE_8, _FRACTION_BITS)

    def darken(self, polygons: np.ndarray, level: float) -> None:
        """Set the shading inside polygons; ``NEUTRAL`` leaves the colour, less is darker."""
        if len(polygons):
            cv2.fillPoly(self.shade, _fixed_point(polygons), level, cv2.LINE_8, _FRACTION_BITS)

    def crease(self, lines: np.ndarray, level: float, thickness: int) -> None:
        """Draw soft folds as open lines (K, P, 2) on the shading layer."""
        cv2.polylines(
            self.shade, _fixed_point(lines), False, level, thickness, cv2.LINE_8, _FRACTION_BITS
        )

    def finish(self, size: tuple[int, int], blur: int) -> np.ndarray:
        """Multiply both layers and shrink.

        Args:
            size: Height and width of the picture in pixels.
            blur: Width of the box that smooths the shading, in pixels.

        Returns:
            Array (height, width, 3), uint8, BGR.
        """
        colour, shade = (
            cv2.resize(layer, size[::-1], interpolation=cv2.INTER_AREA)
            for layer in (self.colour, self.shade)
        )
        shade = cv2.blur(cv2.blur(shade, (blur, blur)), (blur, blur))
        return cv2.multiply(colour, cv2.cvtColor(shade, cv2.COLOR_GRAY2BGR), scale=1 / NEUTRAL)


def _fixed_point(polygons: np.ndarray) -> list[np.ndarray]:
    return list(np.rint(np.asarray(polygons) * (1 << _FRACTION_BITS)).astype(np.int32, order='C'))


@dataclass(frozen=True)
class View:
    """How a camera sees a standing body: orthographic, from a yaw angle and slightly above.

    Body coordinates have the standing height of the person as unit: x points to the person's
    left, y up from the ground, z to where the person faces.

    Args:
        yaw: Rotation about the vertical axis in radians; 0 shows the front, pi the back and
            pi/2 the person's right side, walking to the right of the picture.
        elevation: Angle of the camera above the horizon in radians.
        scale: Picture pixels for one body height.
        stretch: Horizontal scale relative to the vertical one.
        origin: Picture position (x, y) in pixels of the point on the ground below the body.
    """

    yaw: float
    elevation: float
    scale: float
    stretch: float
    origin: tuple[float, float]
    cos: float = field(init=False)
    sin: float = field(init=False)
    _matrix: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cos, sin = float(np.cos(self.yaw)), float(np.sin(self.yaw))
        # What is nearer to a raised camera lies lower in the picture.
        lower = np.sin(self.elevation)
        columns = [
            [self.stretch * cos, -sin * lower],
            [0.0, -np.cos(self.elevation)],
            [self.stretch * sin, cos * lower],
        ]
        object.__setattr__(self, 'cos', cos)
        object.__setattr__(self, 'sin', sin)
        object.__setattr__(self, '_matrix', self.scale * np.array(columns))

    @property
    def axis_x(self) -> complex:
        """What one body height to the person's left adds to the picture x and (imaginary) y."""
        return complex(*self._matrix[0])

    @property
    def axis_z(self) -> complex:
        """What one body height forwards adds to the picture x and (imaginary) y."""
        return complex(*self._matrix[2])

    def nearness(self, x: float, z: float) -> float:
        """Return how far the point lies in front of the body axis, seen by the camera."""
        return z * self.cos - x * self.sin

    def project(self, points: np.ndarray) -> np.ndarray:
        """Map body points to picture positions.

        Args:
            points: Array (..., 3), float, of x, y, z in body heights.

        Returns:
            Array (..., 2), float64, of picture x and y in pixels.
        """
        return np.asarray(points) @ self._matrix + self.origin
