"""People of a rendered scene, found again over its cameras."""

import cv2
import numpy as np
import pytest
from matplotlib.text import Text

from passreid.apis.track_features import extract_tracks, link_cameras
from passreid.rendering import Scene, write_scene
from passreid.tracks.scores import score_tracks
from passreid.tracks.track_files import Tracks, read_tracks

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


def link(scene, tracks, **options):
    """Link them, and score what was found."""
    folders = [scene / f'c{camera + 1}' / 'img1' for camera in CAMERAS]
    linked = link_cameras(Colors(), tracks, folders, fps=SCENE.fps, **options)
    found = [one._replace(ids=linked.ids(camera)) for camera, one in enumerate(tracks)]
    truth = [read_tracks(scene / f'c{camera + 1}' / 'gt' / 'gt.txt') for camera in CAMERAS]
    return linked, score_tracks(truth, found)


@pytest.fixture(scope='module')
def bound(scene, tracks):
    return link(scene, tracks, travel_times=3 * (1 - np.eye(SCENE.cameras)), starts=[0, 0, 0])


def test_tracks(tracks, bound):
    for one, found in zip(tracks, bound[0].features, strict=True):
        assert found.ids.tolist() == sorted({*one.ids.tolist()})
        np.testing.assert_allclose(np.linalg.norm(found.features, axis=1), 1, rtol=1e-6)
        for number, (first, last) in zip(found.ids, found.frames, strict=True):
            own = one.frames[one.ids == number]
            assert (first, last) == (own[0], own[-1])
        assert all(crop.shape[0] > crop.shape[1] for crop in found.crops)


def test_people_are_found_better_with_constraints(scene, tracks, bound):
    linked, scores = bound
    assert linked.people.max() == SCENE.people
    _, free = link(scene, tracks, constraints=False)
    assert 70 < free['IDF1'] < scores['IDF1'] < 95
    # Nobody is at two places at a time.
    for person in range(1, SCENE.people + 1):
        visits = linked.spans[linked.people == person]
        visits = visits[visits[:, 0].argsort()]
        assert (visits[1:, 0] >= visits[:-1, 1]).all()


def test_clocks_of_cameras(scene, tracks, bound):
    late, _ = link(scene, tracks, starts=[0, 10, 0], names=['a', 'b', 'c'])
    expected = np.where(late.camera == 1, 10, 0)[:, None] + bound[0].spans
    np.testing.assert_allclose(late.spans, expected)
    texts = [text.get_text() for text in late.timeline(1).findobj(Text)]
    assert 'Person 1' in texts and {'a', 'b', 'c'} <= {*texts}


def test_crops_of_one_gray_level_count(tmp_path):
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((60, 40, 3), 9, np.uint8))
    boxes = np.array([[1, 1, 20, 50], [1, 1, 20, 50]], float)
    tracks = Tracks(np.array([1, 2]), np.array([3, 3]), boxes, [])
    assert np.isfinite(extract_tracks(Colors(), tracks, tmp_path).features).all()


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(fps=0.0), '0.0 frames a second'),
        (dict(fps=np.nan), 'nan frames a second'),
        (dict(starts=[0, np.nan, 0]), 'nan'),
        (dict(boxes=0), '0 boxes'),
        (dict(margin=-1.0), 'margin is -1'),
        (dict(threshold=np.nan), 'threshold is nan'),
    ],
)
def test_options_that_cannot_be(scene, tracks, options, message):
    with pytest.raises(ValueError, match=message):
        link_cameras(Colors(), tracks, [scene / f'c{n + 1}' / 'img1' for n in CAMERAS], **options)


def test_errors_name_frame_and_track(scene, tracks):
    folder, one = scene / 'c1' / 'img1', tracks[0]
    # Whether or not it is among the boxes that are looked at.
    outside = one._replace(boxes=one.boxes + 1000 * (np.arange(len(one.ids)) == 7)[:, None])
    with pytest.raises(
        ValueError, match=rf'img1, frame {one.frames[7]}, track {one.ids[7]}: box .* outside'
    ):
        extract_tracks(Colors(), outside, folder, boxes=1)
    with pytest.raises(ValueError, match='no frame 121'):
        extract_tracks(Colors(), one._replace(frames=one.frames + 121 - one.frames.max()), folder)
