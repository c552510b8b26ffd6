"""Tracks of cameras: their features from frames, and the people behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from rich.progress import track

from passreid.clustering.cameras import standardize_by_camera
from passreid.tracks.frames import box_edges, read_frames, sharpness, visible_shares
from passreid.tracks.linking import average_features, cannot_link, link_tracks
from passreid.tracks.track_files import Tracks
from passreid.visualization import Visit, draw_timeline

from .reid_inferencer import ReIDInferencer

# Boxes of a track that are looked at; more say the same again.
BOXES = 16


class TrackFeatures(NamedTuple):
    """Tracks of a camera in the order of their ids.

    Attributes:
        ids: ``(T,)``.
        features: ``(T, D)`` float32 of unit length.
        frames: ``(T, 2)``, first and last.
        crops: For each track the crop that shows the person best, ``(H, W, 3)`` uint8 in BGR.
    """

    ids: np.ndarray
    features: np.ndarray
    frames: np.ndarray
    crops: list[np.ndarray]


def extract_tracks(
    inferencer: ReIDInferencer,
    tracks: Tracks,
    source: str | Path,
    boxes: int = BOXES,
    margin: float = 0.0,
) -> TrackFeatures:
    """Extract one feature for each track.

    A track is the mean over its boxes, without those that show somebody else, weighted by how much
    of the person is visible, how sharp the crop is and how large.

    Args:
        inferencer (ReIDInferencer): The model.
        tracks (Tracks): The tracks of a camera.
        source (str | Path): Its video, or folder of frames.
        boxes (int): At most so many boxes of a track, spread over its time. Defaults to 16.
        margin (float): See :func:`crop_boxes`. Defaults to 0.

    Raises:
        ValueError: When a box lies outside its frame, or a frame is missing; names it.
    """
    if boxes < 1:
        raise ValueError(f'{boxes} boxes of a track are none to look at')
    visible = np.empty(len(tracks.ids))
    for at in _groups(tracks.frames):
        visible[at] = visible_shares(tracks.boxes[at])
    chosen = np.concatenate([_best(at, visible, boxes) for at in _groups(tracks.ids)])
    chosen = chosen[np.argsort(tracks.frames[chosen], kind='stable')]
    crops: list[np.ndarray] = []
    wanted = np.unique(tracks.frames[chosen])
    frames, edges = read_frames(source, wanted.tolist()), None
    for number, frame in track(frames, f'Reading {source}', len(wanted), transient=True):
        if edges is None:
            names = [
                f'{source}, frame {number}, track {owner}: box'
                for number, owner in zip(tracks.frames, tracks.ids, strict=True)
            ]
            edges = box_edges(tracks.boxes, frame.shape[:2], margin, names)
        for x1, y1, x2, y2 in edges[chosen[tracks.frames[chosen] == number]]:
            crops.append(frame[y1:y2, x1:x2].copy())
    features = inferencer.extract(crops)
    area = np.array([crop.size for crop in crops], float)
    edges = np.array([sharpness(crop) for crop in crops])
    ids = tracks.ids[chosen]
    found, spans, means, best = np.unique(tracks.ids), [], [], []
    for number in found:
        at = np.flatnonzero(ids == number)
        # Crops of one gray level are not sharp at all.
        size, sharp = area[at] / area[at].max(), edges[at] / max(edges[at].max(), 1e-6)
        weights = visible[chosen[at]] ** 2 * np.sqrt(size) * sharp + 1e-6
        means.append(average_features(features[at], weights))
        best.append(crops[at[weights.argmax()]])
        own = tracks.frames[tracks.ids == number]
        spans.append((own.min(), own.max()))
    return TrackFeatures(found, np.array(means, np.float32), np.array(spans), best)


class LinkedCameras(NamedTuple):
    """The people of several cameras, numbered from 1 in the order of the tracks.

    Attributes:
        names: Those of the cameras.
        tracks: The tracks of each.
        features: The features of the tracks of each.
        camera: ``(T,)``, the place of the camera of each track, the first camera's tracks first.
        spans: ``(T, 2)``, seconds at which each track begins and ends.
        people: ``(T,)``, the person of each track.
        threshold: Largest mean distance of the tracks of a person.
    """

    names: Sequence[str]
    tracks: Sequence[Tracks]
    features: Sequence[TrackFeatures]
    camera: np.ndarray
    spans: np.ndarray
    people: np.ndarray
    threshold: float

    def ids(self, camera: int) -> np.ndarray:
        """Return the person ``(N,)`` in each box of a camera."""
        place = np.searchsorted(self.features[camera].ids, self.tracks[camera].ids)
        return self.people[self.camera == camera][place]

    def timeline(self, person: int) -> Figure:
        """Draw who a person is, and when they were before which camera."""
        crops = [crop for one in self.features for crop in one.crops]
        ids = np.concatenate([one.ids for one in self.features])
        visits = [
            Visit(self.camera[t], start, end, str(ids[t]), crops[t][..., ::-1])
            for t, (start, end) in enumerate(self.spans)
            if self.people[t] == person
        ]
        return draw_timeline(f'Person {person}', visits, self.names, float(self.spans.max()))


def link_cameras(
    inferencer: ReIDInferencer,
    tracks: Sequence[Tracks],
    sources: Sequence[str | Path],
    names: Sequence[str] | None = None,
    fps: float = 25.0,
    starts: Sequence[float] | None = None,
    travel_times: np.ndarray | None = None,
    threshold: float | None = None,
    constraints: bool = True,
    boxes: int = BOXES,
    margin: float = 0.0,
) -> LinkedCameras:
    """Find people again over several cameras.

    What a camera adds to the features of all of its tracks is taken off, see
    :func:`standardize_by_camera`.

    Args:
        inferencer (ReIDInferencer): The model.
        tracks (Sequence[Tracks]): Those of each camera.
        sources (Sequence[str | Path]): The video, or the folder of frames, of each.
        names (Sequence[str], optional): Defaults to c1, c2, ...
        fps (float): Frames a second. Defaults to 25.
        starts (Sequence[float], optional): Seconds at which the first frame of each camera was
            taken, by one clock. Defaults to 0 for all.
        travel_times (np.ndarray, optional): See :func:`cannot_link`.
        threshold (float, optional): See :func:`link_tracks`.
        constraints (bool): Whether tracks that cannot be one person are kept apart. Defaults to
            True.
        boxes (int): See :func:`extract_tracks`.
        margin (float): See :func:`extract_tracks`.

    Returns:
        LinkedCameras: The people.

    Raises:
        ValueError: When ``fps`` or ``starts`` are no times or ``threshold`` no cosine distance, or
            see :func:`extract_tracks`.
    """
    starts = starts or [0.0] * len(tracks)
    if not (0 < fps < np.inf and np.isfinite(starts).all()):
        raise ValueError(f'{fps} frames a second from second {starts} are no times')
    if threshold is not None and not 0 <= threshold <= 2:
        raise ValueError(f'threshold is {threshold}; cosine distances are from 0 to 2')
    found = [
        extract_tracks(inferencer, one, source, boxes, margin)
        for one, source in zip(tracks, sources, strict=True)
    ]
    camera = np.repeat(np.arange(len(found)), [len(one.ids) for one in found])
    spans = np.concatenate([(one.frames - [1, 0]) / fps for one in found])
    spans += np.asarray(starts)[camera, None]
    impossible = cannot_link(camera, spans, travel_times) & constraints
    features = np.concatenate([one.features for one in found])
    features = standardize_by_camera(features, camera)
    linked = link_tracks(features, impossible, threshold)
    names = names or [f'c{number}' for number in range(1, len(found) + 1)]
    return LinkedCameras(names, tracks, found, camera, spans, linked.people + 1, linked.threshold)


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Return for each key the places at which it stands."""
    order = np.argsort(keys, kind='stable')
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)


def _best(at: np.ndarray, visible: np.ndarray, most: int) -> np.ndarray:
    """Choose the most visible box of each of so many parts of a track."""
    parts = np.array_split(at, min(most, len(at)))
    return np.array([part[visible[part].argmax()] for part in parts])
