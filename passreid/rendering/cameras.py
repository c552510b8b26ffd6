"""Cameras: where they stand and what they do to the picture."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .randomness import generator
from .scenes import build_scene


@dataclass(frozen=True)
class Camera:
    """One camera.

    Args:
        scene: Array (H, W, 3), uint8, BGR: what it sees without people, supersampled.
        colour: Array (3, 4), float: colour matrix with offset applied to blue, green and red.
        blur: Standard deviation of the lens blur relative to the height of the picture.
        noise: Standard deviation of the sensor noise in grey levels.
        resolution: Share of the pixels in each direction that it really resolves.
        jpeg_quality: Quality of its JPEG files, 0 to 100.
        elevation: Angle above the horizon in radians.
        walkway: Direction in which most people pass, as a yaw angle in radians.
    """

    scene: np.ndarray
    colour: np.ndarray
    blur: float
    noise: float
    resolution: float
    jpeg_quality: int
    elevation: float
    walkway: float


@lru_cache(maxsize=64)
def build_camera(seed: int, domain: str, group: str, index: int, total: int, height: int) -> Camera:
    """Set up one of the cameras of a domain.

    Args:
        seed: Seed of the data set.
        domain: 'a' or 'b'.
        group: Which network of cameras.
        index: Number of the camera in the network, from 0.
        total: Cameras of the network; their colour casts are spread evenly over the hues.
        height: Height of the pictures in supersampled pixels.

    Returns:
        The camera; cached.
    """
    rng = generator(seed, domain, 'camera', group, index)
    winter = domain == 'b'
    hue = 2 * np.pi * (index + rng.uniform(-0.2, 0.2)) / total
    cast = 1 + rng.uniform(0.012, 0.03) * np.cos(hue - np.array([0, 2, 4]) * np.pi / 3)
    if winter:
        cast *= (1.04, 1.0, 0.96)
    gain = rng.uniform(0.95, 1.06) * (0.94 if winter else 1.0)
    saturation = rng.uniform(0.75, 0.95) if winter else rng.uniform(0.9, 1.1)
    grey = np.full((3, 3), (0.114, 0.587, 0.299))
    matrix = gain * np.diag(cast) @ (saturation * np.eye(3) + (1 - saturation) * grey)
    offset = rng.uniform(0, 6) + 4 * winter
    return Camera(
        scene=build_scene(rng, domain, (round(1.5 * height), round(3 * height))),
        colour=np.column_stack([matrix, np.full(3, offset)]),
        blur=rng.uniform(0.3, 0.8) / 128,
        noise=rng.uniform(1.5, 4.0) + 1.0 * winter,
        resolution=rng.uniform(0.55, 1.0),
        jpeg_quality=int(rng.integers(55, 92)),
        elevation=rng.uniform(0.06, 0.3),
        walkway=rng.uniform(0, np.pi),
    )


def photograph(picture: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Give an ideal picture the look of a camera.

    Args:
        picture: Array (H, W, 3), uint8, BGR.
        camera: The camera.
        rng: Source of exposure, focus and noise of this picture.

    Returns:
        Array (H, W, 3), uint8, BGR.
    """
    height, width = picture.shape[:2]
    exposure = rng.uniform(0.94, 1.06)
    picture = cv2.transform(picture, camera.colour * exposure)
    if camera.resolution < 0.95:
        share = camera.resolution * rng.uniform(0.85, 1.0)
        small = (round(width * share), round(height * share))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    blur = camera.blur * height * rng.uniform(0.7, 1.3)
    picture = cv2.GaussianBlur(picture, (0, 0), blur)
    noise = rng.standard_normal((height, width, 1), dtype=np.float32) * camera.noise
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
