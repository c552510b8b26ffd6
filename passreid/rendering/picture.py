"""One picture from its numbers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .cameras import build_camera, photograph
from .canvas import Canvas
from .figure import draw_figure
from .identity import Identity, sample_identity
from .occluders import add_occluder
from .pose import sample_pose
from .projection import View
from .randomness import generator

# Drawing happens at this multiple of the size of the picture, which smooths all edges.
SUPERSAMPLING = 3


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


@lru_cache(maxsize=256)
def _person(seed: int, domain: str, split: str, person: int) -> Identity:
    return sample_identity(generator(seed, domain, split, person), domain)


def render(picture: Picture) -> tuple[np.ndarray, int]:
    """Draw a picture; it depends on nothing but the argument.

    Args:
        picture: Which picture.

    Returns:
        Array (H, W, 3), uint8, BGR, and the JPEG quality of the camera.
    """
    height, width = picture.size
    names = (picture.domain, picture.split, picture.person, picture.index)
    rng = generator(picture.seed, *names)
    camera = build_camera(
        picture.seed,
        picture.domain,
        picture.network,
        picture.camera,
        picture.num_cameras,
        SUPERSAMPLING * height,
    )
    canvas = Canvas(_backdrop(camera.scene, rng, height, width))
    view = _sample_view(rng, camera.walkway, camera.elevation, height, width)
    identity = _person(picture.seed, picture.domain, picture.split, picture.person)
    draw_figure(canvas, view, identity, sample_pose(rng))
    add_occluder(canvas, view, rng, picture.seed, picture.domain)
    ideal = canvas.finish(picture.size, blur=1 + 2 * round(height / 128))
    return photograph(ideal, camera, rng), camera.jpeg_quality


def _backdrop(scene: np.ndarray, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cut a window of supersampled size out of the scene of the camera."""
    height, width = SUPERSAMPLING * height, SUPERSAMPLING * width
    top = rng.integers(scene.shape[0] - height)
    left = rng.integers(scene.shape[1] - width)
    return scene[top : top + height, left : left + width].copy()


def _sample_view(
    rng: np.random.Generator, walkway: float, elevation: float, height: int, width: int
) -> View:
    """Draw viewpoint, size and place of the person in a box like a detector's."""
    yaw = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.6:
        yaw = walkway + np.pi * rng.integers(2) + rng.normal(0, 0.4)
    share = rng.uniform(0.89, 0.97)
    floor = rng.uniform(0.955, 0.99)
    if rng.random() < 0.1:
        # The detector missed the feet or a part of the head.
        share, floor = rng.uniform(1.02, 1.2), rng.uniform(1.0, 1.14)
    return View(
        yaw=float(yaw),
        elevation=elevation,
        scale=share * SUPERSAMPLING * height / np.cos(elevation),
        stretch=rng.uniform(1.14, 1.36) * 2 * width / height,
        origin=(
            SUPERSAMPLING * width * rng.uniform(0.44, 0.56),
            SUPERSAMPLING * height * floor,
        ),
    )
