"""Cameras: the scenes that they see and what they do to a picture."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .canvas import Color
from .randomness import Rng, generator

# Colors of grounds and walls: near-gray, since people must not be told by the place.
_GROUNDS = {
    'a': ((142, 151, 157), (137, 147, 152), (147, 155, 162)),
    'b': ((122, 114, 108), (117, 110, 104), (128, 119, 112)),
}
_WALLS = {
    'a': ((134, 146, 150), (140, 150, 158), (138, 149, 150)),
    'b': ((124, 117, 112), (116, 108, 104), (128, 120, 114)),
}
# Scenes are painted at this height and then brought to the size that is asked for.
_HEIGHT = 192
# Stains and reflections: size in pixels, strength in gray levels, channels.
_MOTTLING = ((2, 3.0, 1), (9, 6.0, 3))


def _build_scene(rng: Rng, domain: str, size: tuple[int, int]) -> np.ndarray:
    """Paint a campus in daylight ('a') or a station and its streets in winter ('b')."""
    height, width = _HEIGHT, round(_HEIGHT * size[1] / size[0])
    horizon = int(height * rng.uniform(0.3, 0.55))
    ground, wall = (
        np.array(colors[domain][rng.integers(3)]) + rng.uniform(-4, 4)
        for colors in (_GROUNDS, _WALLS)
    )
    scene: np.ndarray = np.empty((height, width, 3), dtype=np.float32)
    scene[:horizon], scene[horizon:] = wall, ground
    scene[horizon:] += np.linspace(-14, 12, height - horizon)[:, None, None]
    _paint_ground(scene, rng, horizon, ground)
    (_paint_greenery if domain == 'a' else _paint_panels)(scene, rng, horizon, wall)
    _paint_furniture(scene, rng, horizon)
    cv2.GaussianBlur(scene, (0, 0), 0.8, dst=scene)
    for pitch, strength, channels in _MOTTLING:
        grain = rng.normal(0, strength, (height // pitch, width // pitch, channels))
        smooth = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        scene += smooth.reshape(height, width, channels).astype(np.float32)
    enlarged = cv2.resize(scene, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(enlarged, 0, 255).astype(np.uint8)


def _tone(color: np.ndarray, shift: float) -> Color:
    blue, green, red = (color + shift).tolist()
    return blue, green, red


def _paint_ground(scene: np.ndarray, rng: Rng, horizon: int, ground: np.ndarray) -> None:
    """Draw paving joints that run to a vanishing point, a kerb and road markings."""
    height, width = scene.shape[:2]
    vanishing = (int(rng.uniform(0.2, 0.8) * width), horizon - height // 6)
    joint = _tone(ground, rng.uniform(-16, -8))
    for x in range(-2 * width, 3 * width, int(width * rng.uniform(0.12, 0.3))):
        cv2.line(scene, vanishing, (x, height), joint, 1, cv2.LINE_AA)
    step, row = rng.uniform(1.25, 1.5), 5.0
    while row < height - horizon:
        y = horizon + int(row)
        cv2.line(scene, (0, y), (width, y), joint, 1, cv2.LINE_AA)
        row = row * step + 3
    if rng.random() < 0.6:
        y, depth = horizon + int(rng.uniform(6, 30)), int(rng.uniform(3, 8))
        cv2.rectangle(scene, (0, y), (width, y + depth), _tone(ground, 22), -1)
    for _ in range(rng.integers(0, 3)):
        left, spread = rng.uniform(0, width), rng.uniform(12, 36)
        right, end = left + 4, left + spread
        points = [left, horizon, right, horizon, right + spread + 14, height, end, height]
        marking = np.array(points).reshape(4, 2).astype(np.int32)
        cv2.fillPoly(scene, [marking], _tone(ground, rng.uniform(18, 34)))


def _paint_greenery(scene: np.ndarray, rng: Rng, horizon: int, wall: np.ndarray) -> None:
    """Draw windows, hedges and a strip of grass."""
    width = scene.shape[1]
    for x in range(8, width, int(rng.uniform(34, 60))):
        shift = rng.uniform(-30, -12)
        corner = (x + int(rng.uniform(14, 24)), int(horizon * rng.uniform(0.5, 0.75)))
        cv2.rectangle(scene, (x, int(horizon * 0.12)), corner, _tone(wall, shift), -1)
    green = np.array([-20.0, 0.0, -14.0]) + np.array([138, 142, 148])
    for _ in range(rng.integers(6, 26)):
        center = (int(rng.uniform(0, width)), int(horizon - rng.uniform(0, 22)))
        axes = (int(rng.uniform(8, 26)), int(rng.uniform(6, 20)))
        tone = _tone(green, rng.uniform(-22, 18))
        cv2.ellipse(scene, center, axes, 0, 0, 360, tone, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        depth = int(rng.uniform(6, 26))
        cv2.rectangle(scene, (0, horizon), (width, horizon + depth), _tone(green, 8), -1)


def _paint_panels(scene: np.ndarray, rng: Rng, horizon: int, wall: np.ndarray) -> None:
    """Draw wall panels, doors, lamps and posters."""
    width = scene.shape[1]
    pitch = int(rng.uniform(26, 60))
    for x in range(0, width, pitch):
        cv2.line(scene, (x, 0), (x, horizon), _tone(wall, -18), 2, cv2.LINE_AA)
        if rng.random() < 0.4:
            poster = wall + rng.uniform(-26, 26, 3)
            top = int(horizon * rng.uniform(0.1, 0.4))
            corner = (x + pitch - 6, int(horizon * rng.uniform(0.6, 1.0)))
            cv2.rectangle(scene, (x + 6, top), corner, _tone(poster, 0), -1)
    stripe = int(horizon * rng.uniform(0.02, 0.2))
    cv2.rectangle(scene, (0, stripe), (width, stripe + 5), _tone(wall, 46), -1)


def _paint_furniture(scene: np.ndarray, rng: Rng, horizon: int) -> None:
    """Draw lamp posts, pillars and parked vehicles in gray."""
    width = scene.shape[1]
    for _ in range(rng.integers(2, 6)):
        x, thick = int(rng.uniform(0, width)), int(rng.uniform(2, 12))
        gray = float(rng.uniform(80, 180))
        base = horizon + int(rng.uniform(2, 30))
        cv2.rectangle(scene, (x, 0), (x + thick, base), (gray, gray + 2, gray), -1)
        cv2.rectangle(scene, (x, 0), (x + thick // 3, base), (gray + 14,) * 3, -1)
    for _ in range(rng.integers(0, 3)):
        x, tone = int(rng.uniform(-20, width)), rng.uniform(70, 190) + rng.uniform(-12, 12, 3)
        base, length = horizon + int(rng.uniform(6, 18)), int(rng.uniform(60, 90))
        cv2.rectangle(scene, (x, base - 22), (x + length, base), _tone(tone, 0), -1)
        roof = [[x + 10, base - 22], [x + 20, base - 36], [x + length - 18, base - 36]]
        roof.append([x + length - 6, base - 22])
        cv2.fillPoly(scene, [np.array(roof)], _tone(tone, -26))
        for wheel in (x + 14, x + length - 14):
            cv2.circle(scene, (wheel, base), 7, (60, 60, 60), -1, cv2.LINE_AA)


@dataclass(frozen=True)
class Camera:
    """One camera; angles are in radians."""

    # (H, W, 3) uint8, BGR, supersampled: what it sees without people. It is wider than a picture,
    # so that each shows another part.
    scene: np.ndarray
    color: np.ndarray  # (3, 4): matrix with offset applied to blue, green and red.
    blur: float  # Standard deviation of the lens blur relative to the height of the picture.
    noise: float  # Standard deviation of the sensor noise in gray levels.
    resolution: float  # Share of the pixels in each direction that it really resolves.
    jpeg_quality: int
    elevation: float  # Angle above the horizon.
    walkway: float  # Direction in which most people pass, as a yaw angle.


@lru_cache(maxsize=64)
def build_camera(seed: int, domain: str, group: str, index: int, total: int, height: int) -> Camera:
    """Set up one of the cameras of a network for pictures of a height in supersampled pixels."""
    rng = generator(seed, domain, 'camera', group, index)
    winter = domain == 'b'
    # The color casts of a network are spread evenly over the hues.
    hue = 2 * np.pi * (index + rng.uniform(-0.2, 0.2)) / total
    cast = 1 + rng.uniform(0.012, 0.03) * np.cos(hue - np.array([0, 2, 4]) * np.pi / 3)
    if winter:
        cast *= (1.04, 1.0, 0.96)
    gain = rng.uniform(0.95, 1.06) * (0.94 if winter else 1.0)
    saturation = rng.uniform(0.75, 0.95) if winter else rng.uniform(0.9, 1.1)
    gray = np.full((3, 3), (0.114, 0.587, 0.299))
    matrix = gain * np.diag(cast) @ (saturation * np.eye(3) + (1 - saturation) * gray)
    offset = rng.uniform(0, 6) + 4 * winter
    return Camera(
        scene=_build_scene(rng, domain, (round(1.5 * height), round(3 * height))),
        color=np.column_stack([matrix, np.full(3, offset)]),
        blur=rng.uniform(0.3, 0.8) / 128,
        noise=rng.uniform(1.5, 4.0) + 1.0 * winter,
        resolution=rng.uniform(0.55, 1.0),
        jpeg_quality=int(rng.integers(55, 92)),
        elevation=rng.uniform(0.06, 0.3),
        walkway=rng.uniform(0, np.pi),
    )


def photograph(picture: np.ndarray, camera: Camera, rng: Rng) -> np.ndarray:
    """Give an ideal picture, (H, W, 3) uint8, the exposure, focus and noise of a camera."""
    height, width = picture.shape[:2]
    exposure = rng.uniform(0.94, 1.06)
    picture = cv2.transform(picture, camera.color * exposure)
    if camera.resolution < 0.95:
        share = camera.resolution * rng.uniform(0.85, 1.0)
        small = (round(width * share), round(height * share))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    blur = camera.blur * height * rng.uniform(0.7, 1.3)
    picture = cv2.GaussianBlur(picture, (0, 0), blur)
    noise = rng.standard_normal((height, width, 1), dtype=np.float32) * camera.noise
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
