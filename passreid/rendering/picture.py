"""One picture from its numbers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .cameras import Camera, build_camera, photograph
from .canvas import Canvas, Color, View, shaded
from .figure import draw_figure
from .identity import Identity, sample_identity
from .pose import sample_pose
from .randomness import Rng, generator

_OCCLUDED = 0.24
_PASSERS_BY = 64
# Drawing happens at this multiple of the size of the picture, which smooths all edges.
SUPERSAMPLING = 3


@lru_cache(maxsize=512)
def identity_of(seed: int, domain: str, split: str, person: int) -> Identity:
    """Return what a person of a split looks like."""
    return sample_identity(generator(seed, domain, split, person), domain)


def _add_occluder(canvas: Canvas, view: View, rng: Rng, seed: int, domain: str) -> None:
    """Hide a part of some persons by a pole, a bin, a low wall, a hedge or another person."""
    if rng.random() > _OCCLUDED:
        return
    height, width = canvas.shade.shape[:2]
    kind = rng.integers(5)
    tone = rng.uniform(60, 170)
    color = (tone + rng.uniform(-12, 12), tone + rng.uniform(-10, 10), tone)
    edge = rng.choice((-1, 1))
    if kind == 0:
        left, thick = rng.uniform(0.1, 0.85) * width, rng.uniform(0.04, 0.1) * width
        _box(canvas, left, left + thick, -1, height * rng.uniform(0.9, 1.1), color)
    elif kind == 1:
        center = (0.5 + edge * rng.uniform(0.15, 0.45)) * width
        half, top = rng.uniform(0.1, 0.2) * width, rng.uniform(0.62, 0.8) * height
        _box(canvas, center - half, center + half, top, height + 1, color)
        _box(canvas, center - half, center + half, top, top + 0.025 * height, shaded(color, 0.7))
    elif kind == 2:
        top = rng.uniform(0.76, 0.88) * height
        _box(canvas, -1, width + 1, top, height + 1, color)
        _box(canvas, -1, width + 1, top, top + 0.02 * height, shaded(color, 1.15))
    elif kind == 3:
        green = (0.7 * tone, 0.95 * tone, 0.75 * tone)
        spots = rng.uniform((0, 0.86), (0.5, 1.0), (9, 2)) + (0.5 * (edge > 0), 0)
        turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        rim = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (0.07 * height)
        for spot in spots * (width, height):
            leaf = (spot + rim)[None]
            canvas.paint(leaf, green)
            canvas.darken(leaf - 0.01 * height, rng.uniform(100, 140))
    else:
        shift = edge * rng.uniform(0.42, 0.58) * width
        yaw, scale = rng.uniform(0, 2 * np.pi), view.scale * rng.uniform(0.92, 1.12)
        origin = view.origin[0] + shift, view.origin[1] + rng.uniform(0, 0.08) * height
        other = View(yaw, view.elevation, scale, view.stretch, origin)
        person = identity_of(seed, domain, 'passer-by', int(rng.integers(_PASSERS_BY)))
        draw_figure(canvas, other, person, sample_pose(rng))


def _box(
    canvas: Canvas, left: float, right: float, top: float, bottom: float, color: Color
) -> None:
    """Draw an upright box that is rounded by shading."""
    bands = np.array([[0.0, 1.0], [0.15, 0.95], [0.45, 0.8]])[:, [0, 1, 1, 0]]
    outlines = np.empty((3, 4, 2))
    outlines[..., 0] = left + (right - left) * bands
    outlines[..., 1] = (top, top, bottom, bottom)
    canvas.paint_rounded(outlines, color, (100, 118, 134))


@dataclass(frozen=True)
class Picture:
    """Which picture: everything that its pixels depend on.

    Args:
        seed: Seed of the data set.
        domain: 'a' or 'b'.
        split: Name of the set of people.
        person: Number of the person in the split, from 0.
        index: Number of the picture of this person, from 0.
        network: Name of the network of cameras.
        camera: Number of the camera in the network, from 0.
        num_cameras: Cameras of the network.
        size: Height and width in pixels.
    """

    seed: int
    domain: str
    split: str
    person: int
    index: int
    network: str
    camera: int
    num_cameras: int
    size: tuple[int, int]


def render(picture: Picture) -> tuple[np.ndarray, int]:
    """Draw a picture; it depends on nothing but the argument.

    Args:
        picture: Which picture.

    Returns:
        Array (H, W, 3), uint8, BGR, and the JPEG quality of the camera.
    """
    seed, domain = picture.seed, picture.domain
    rng = generator(seed, domain, picture.split, picture.person, picture.index)
    height, width = (SUPERSAMPLING * side for side in picture.size)
    network = picture.network, picture.camera, picture.num_cameras
    camera = build_camera(seed, domain, *network, height)
    top = rng.integers(camera.scene.shape[0] - height)
    left = rng.integers(camera.scene.shape[1] - width)
    canvas = Canvas(camera.scene[top : top + height, left : left + width].copy())
    view = _sample_view(rng, camera, *picture.size)
    identity = identity_of(seed, domain, picture.split, picture.person)
    draw_figure(canvas, view, identity, sample_pose(rng))
    _add_occluder(canvas, view, rng, seed, domain)
    ideal = canvas.finish(picture.size, blur=1 + 2 * round(picture.size[0] / 128))
    return photograph(ideal, camera, rng), camera.jpeg_quality


def _sample_view(rng: Rng, camera: Camera, height: int, width: int) -> View:
    """Draw viewpoint, size and place of the person in a box like a detector's."""
    yaw = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.6:
        yaw = camera.walkway + np.pi * rng.integers(2) + rng.normal(0, 0.4)
    share = rng.uniform(0.89, 0.97)
    floor = rng.uniform(0.955, 0.99)
    if rng.random() < 0.1:
        # The detector missed the feet or a part of the head.
        share, floor = rng.uniform(1.02, 1.2), rng.uniform(1.0, 1.14)
    scale = share * SUPERSAMPLING * height / np.cos(camera.elevation)
    stretch = rng.uniform(1.14, 1.36) * 2 * width / height
    left = SUPERSAMPLING * width * rng.uniform(0.44, 0.56)
    return View(yaw, camera.elevation, scale, stretch, (left, SUPERSAMPLING * height * floor))
