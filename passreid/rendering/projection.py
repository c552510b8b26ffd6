"""From body coordinates to picture coordinates."""

from dataclasses import dataclass, field

import numpy as np


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
