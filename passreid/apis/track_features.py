"""Features of the tracks of a camera, from its frames."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from passreid.tracks.frames import crop_boxes, read_frames, sharpness, visible_shares
from passreid.tracks.linking import average_features
from passreid.tracks.mot import Tracks

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
    visible = np.empty(len(tracks.ids))
    for at in _groups(tracks.frames):
        visible[at] = visible_shares(tracks.boxes[at])
    chosen = np.concatenate([_best(at, visible, boxes) for at in _groups(tracks.ids)])
    chosen = chosen[np.argsort(tracks.frames[chosen], kind='stable')]
    crops: list[np.ndarray] = []
    wanted = np.unique(tracks.frames[chosen])
    frames = read_frames(source, wanted.tolist())
    for number, frame in track(frames, f'Reading {source}', len(wanted), transient=True):
        at = chosen[tracks.frames[chosen] == number]
        try:
            crops += [crop.copy() for crop in crop_boxes(frame, tracks.boxes[at], margin)]
        except ValueError as error:
            ids = tracks.ids[at].tolist()
            raise ValueError(f'{source}, frame {number}, tracks {ids}: {error}') from error
    features = inferencer.extract(crops)
    area = np.array([crop.size for crop in crops], float)
    edges = np.array([sharpness(crop) for crop in crops])
    ids = tracks.ids[chosen]
    found, spans, means, best = np.unique(tracks.ids), [], [], []
    for number in found:
        at = np.flatnonzero(ids == number)
        size, sharp = area[at] / area[at].max(), edges[at] / edges[at].max()
        weights = visible[chosen[at]] ** 2 * np.sqrt(size) * sharp + 1e-6
        means.append(average_features(features[at], weights))
        best.append(crops[at[weights.argmax()]])
        own = tracks.frames[tracks.ids == number]
        spans.append((own.min(), own.max()))
    return TrackFeatures(found, np.array(means, np.float32), np.array(spans), best)


def _groups(keys: np.ndarray) -> list[np.ndarray]:
    """Return for each key the places at which it stands."""
    order = np.argsort(keys, kind='stable')
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)


def _best(at: np.ndarray, visible: np.ndarray, most: int) -> np.ndarray:
    """Choose the most visible box of each of so many parts of a track."""
    parts = np.array_split(at, min(most, len(at)))
    return np.array([part[visible[part].argmax()] for part in parts])
