"""People of a rendered scene, found again over its cameras."""

import cv2
import numpy as np
import pytest

from passreid.apis.track_features import extract_tracks
from passreid.rendering import Scene, write_scene
from passreid.tracks.linking import cannot_link, link_tracks
from passreid.tracks.mot import read_tracks
from passreid.tracks.scores import score_tracks

SCENE = Scene(people=6, seconds=40, fps=3, size=(192, 320))
CAMERAS = range(SCENE.cameras)


class Colors:
    """In place of a model: the colors of the middle of a crop."""

    def extract(self, crops):
        middles = [crop[:, crop.shape[1] // 4 : -crop.shape[1] // 4] for crop in crops]
        small = [cv2.resize(one, (2, 8), interpolation=cv2.INTER_AREA).ravel() for one in middles]
        features = np.stack(small).astype(np.float32)
        return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp('scene'), SCENE)


@pytest.fixture(scope='module')
def tracks(scene):
    return [read_tracks(scene / f'c{camera + 1}' / 'tracks.txt') for camera in CAMERAS]


@pytest.fixture(scope='module')
def cameras(scene, tracks):
    folders = [scene / f'c{camera + 1}' / 'img1' for camera in CAMERAS]
    return [extract_tracks(Colors(), *pair) for pair in zip(tracks, folders, strict=True)]


def linked(scene, tracks, cameras, impossible):
    """Number of people, and scores of the tracks with their numbers."""
    camera = np.repeat(CAMERAS, [len(one.ids) for one in cameras])
    people = link_tracks(np.concatenate([one.features for one in cameras]), impossible).people
    found = [
        one._replace(ids=people[camera == number][np.searchsorted(cameras[number].ids, one.ids)])
        for number, one in enumerate(tracks)
    ]
    truth = [read_tracks(scene / f'c{camera + 1}' / 'gt' / 'gt.txt') for camera in CAMERAS]
    return people.max() + 1, score_tracks(truth, found)


def test_tracks(tracks, cameras):
    for one, found in zip(tracks, cameras, strict=True):
        assert found.ids.tolist() == sorted({*one.ids.tolist()})
        np.testing.assert_allclose(np.linalg.norm(found.features, axis=1), 1, rtol=1e-6)
        for number, (first, last) in zip(found.ids, found.frames, strict=True):
            own = one.frames[one.ids == number]
            assert (first, last) == (own[0], own[-1])
    assert all(crop.shape[0] > crop.shape[1] for one in cameras for crop in one.crops)


def test_people_are_found_better_with_constraints(scene, tracks, cameras):
    camera = np.repeat(CAMERAS, [len(one.ids) for one in cameras])
    spans = np.concatenate([(one.frames - [1, 0]) / SCENE.fps for one in cameras])
    impossible = cannot_link(camera, spans, 3 * (1 - np.eye(SCENE.cameras)))
    _, free = linked(scene, tracks, cameras, np.zeros_like(impossible))
    count, bound = linked(scene, tracks, cameras, impossible)
    assert count == SCENE.people
    assert 70 < free['IDF1'] < bound['IDF1'] < 95


def test_errors_name_frame_and_track(scene, tracks):
    folder, one = scene / 'c1' / 'img1', tracks[0]
    outside = one._replace(boxes=one.boxes + np.where(one.ids == one.ids[0], 1000, 0)[:, None])
    with pytest.raises(ValueError, match=rf'img1, frame {one.frames[0]}, tracks \[.*{one.ids[0]}'):
        extract_tracks(Colors(), outside, folder)
    with pytest.raises(ValueError, match='no frame 121'):
        extract_tracks(Colors(), one._replace(frames=one.frames + 121 - one.frames.max()), folder)
