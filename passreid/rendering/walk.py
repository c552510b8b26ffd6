"""People who walk past several cameras: the frames of each camera, and who is where in them."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from .cameras import build_camera, photograph
from .canvas import Canvas, View
from .figure import draw_figure
from .picture import identity_of
from .pose import Pose
from .randomness import generator

_SUPERSAMPLING = 2
# Height of a person as a share of that of the frame, far away and near; where the feet are.
_FAR, _NEAR = (0.3, 0.56), (0.56, 0.97)
# A detector finds whom it sees so much of; a tracker loses whom it does not see for so many frames.
_VISIBLE, _LOST = 0.35, 3


@dataclass(frozen=True)
class Scene:
    """Everything that the frames of a scene depend on.

    Args:
        domain: 'a' (summer, campus) or 'b' (winter, station).
        seed: Seed of people, cameras and ways.
        people: Number of people.
        cameras: Number of cameras, at least two, whose views do not overlap.
        seconds: Length.
        fps: Frames a second.
        size: Height and width of a frame in pixels.
    """

    domain: str = 'a'
    seed: int = 0
    people: int = 8
    cameras: int = 3
    seconds: float = 60.0
    fps: int = 5
    size: tuple[int, int] = (288, 512)


@dataclass(frozen=True)
class Passage:
    """One way of a person through the view of a camera, in seconds; a lane of 1 is near."""

    person: int
    camera: int
    start: float
    end: float
    lane: float
    to_right: bool


@dataclass(frozen=True)
class Sighting:
    """A person in a frame: box ``(x1, y1, x2, y2)`` in pixels, and the share that is not hidden."""

    person: int
    box: tuple[float, float, float, float]
    visible: float


def plan_passages(scene: Scene) -> list[Passage]:
    """Send each person from camera to camera, with 4 to 9 seconds in between."""
    passages = []
    for person in range(scene.people):
        rng = generator(scene.seed, scene.domain, 'way', person)
        start, camera = rng.uniform(0, 12), int(rng.integers(scene.cameras))
        while start < scene.seconds:
            end = start + rng.uniform(8, 13)
            lane, to_right = rng.uniform(), bool(rng.random() < 0.5)
            passages.append(Passage(person, camera, start, end, lane, to_right))
            start = end + rng.uniform(4, 9)
            camera = (camera + int(rng.integers(1, scene.cameras))) % scene.cameras
    return passages


def render_frame(
    scene: Scene, passages: list[Passage], camera: int, frame: int
) -> tuple[np.ndarray, list[Sighting]]:
    """Draw a frame ``(H, W, 3)`` uint8, BGR, and say who is in it, the farthest first."""
    height, width = (_SUPERSAMPLING * side for side in scene.size)
    seen = build_camera(scene.seed, scene.domain, 'scene', camera, scene.cameras, height)
    left = (seen.scene.shape[1] - width) // 2
    canvas = Canvas(seen.scene[-height:, left : left + width].copy())
    time = frame / scene.fps
    present = [p for p in passages if p.camera == camera and p.start <= time < p.end]
    boxes = []
    for passage in sorted(present, key=lambda passage: passage.lane):
        rng = generator(scene.seed, scene.domain, 'gait', passage.person)
        phase, stride = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.45)
        pose = Pose(phase + 5 * time, stride, stride * rng.uniform(0.5, 1.1), (0.3, 0.3), 0.01)
        progress = 1.2 * (time - passage.start) / (passage.end - passage.start) - 0.1
        share, floor = (far + passage.lane * (near - far) for far, near in (_FAR, _NEAR))
        x = (progress if passage.to_right else 1 - progress) * width
        yaw = np.pi / 2 * (1 if passage.to_right else -1) + 0.5 * np.cos(seen.walkway)
        scale = share * height / np.cos(seen.elevation)
        view = View(yaw, seen.elevation, scale, 1.25, (x, floor * height))
        identity = identity_of(scene.seed, scene.domain, 'walkers', passage.person)
        draw_figure(canvas, view, identity, pose)
        tall = share * scene.size[0] / 0.93
        bottom = floor * scene.size[0] + 0.03 * tall
        middle = x / _SUPERSAMPLING
        boxes.append([middle - tall / 4, bottom - tall, middle + tall / 4, bottom])
    ideal = canvas.finish(scene.size, blur=3)
    image = photograph(ideal, seen, generator(scene.seed, 'frame', camera, frame))
    edges = np.array([scene.size[::-1] * 2]) if boxes else 0
    clipped = np.clip(np.reshape(boxes, (-1, 4)), 0, edges)
    people = [p.person for p in sorted(present, key=lambda passage: passage.lane)]
    sightings = []
    for place, (person, box) in enumerate(zip(people, clipped, strict=True)):
        hidden = np.zeros(scene.size, bool)
        for other in clipped[place + 1 :]:
            x1, y1, x2, y2 = other.astype(int)
            hidden[y1:y2, x1:x2] = True
        x1, y1, x2, y2 = box.astype(int)
        whole = max(np.prod(np.subtract(boxes[place][2:], boxes[place][:2])), 1)
        visible = float((~hidden[y1:y2, x1:x2]).sum() / whole)
        if visible > 0.02:
            sightings.append(Sighting(person, tuple(box.tolist()), min(visible, 1.0)))
    return image, sightings


def write_scene(folder: str | Path, scene: Scene) -> Path:
    """Write frames, true tracks and those that a tracker would find, in MOTChallenge's layout.

    For each camera ``cN/img1/000001.jpg``, ``cN/gt/gt.txt`` with the number of the person as id,
    and ``cN/tracks.txt``, whose ids are those of that camera alone: a person who was hidden for
    three frames, or comes again, gets a new one.

    Returns:
        Path: The folder.
    """
    folder, passages = Path(folder), plan_passages(scene)
    for camera in range(scene.cameras):
        place = folder / f'c{camera + 1}'
        for part in ('img1', 'gt'):
            (place / part).mkdir(parents=True, exist_ok=True)
        rng = generator(scene.seed, 'detector', camera)
        truth, found = [], []
        last: dict[int, int] = {}
        ids: dict[int, int] = {}
        frames = range(round(scene.seconds * scene.fps))
        for frame in track(frames, f'Rendering camera {camera + 1}', transient=True):
            image, sightings = render_frame(scene, passages, camera, frame)
            cv2.imencode('.jpg', image)[1].tofile(place / 'img1' / f'{frame + 1:06d}.jpg')
            for sighting in sightings:
                person, (x1, y1, x2, y2) = sighting.person, sighting.box
                row = f'{frame + 1},{person + 1},{x1:.1f},{y1:.1f},{x2 - x1:.1f},{y2 - y1:.1f}'
                truth.append(f'{row},1,1,{sighting.visible:.2f}')
                if sighting.visible < _VISIBLE:
                    continue
                if frame - last.get(person, -_LOST - 1) > _LOST:
                    ids[person] = 1 + max(ids.values(), default=0)
                last[person] = frame
                x, y = np.array([x1, y1]) + rng.normal(0, 0.01, 2) * (y2 - y1)
                w, h = np.array([x2 - x1, y2 - y1]) * rng.normal(1, 0.02, 2)
                score = min(0.5 + sighting.visible / 2, 0.99)
                box = f'{x:.1f},{y:.1f},{w:.1f},{h:.1f}'
                found.append(f'{frame + 1},{ids[person]},{box},{score:.2f},-1,-1,-1')
        (place / 'gt' / 'gt.txt').write_text('\n'.join(truth) + '\n')
        (place / 'tracks.txt').write_text('\n'.join(found) + '\n')
    return folder
