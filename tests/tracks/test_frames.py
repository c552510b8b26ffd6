from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from passreid.tracks.frames import crop_boxes, read_frames, sharpness, visible_shares

FRAME = np.arange(100 * 80 * 3, dtype=np.uint32).reshape(100, 80, 3).astype(np.uint8)


def write(folder, names, size=(20, 30)):
    for level, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((*size, 3), 10 * level, np.uint8))


def levels(source, wanted):
    return {number: frame[0, 0, 0] for number, frame in read_frames(source, wanted)}


def test_folders(tmp_path):
    write(tmp_path, ['000003.png', '000007.png', '000010.png'])
    assert levels(tmp_path, [7, 10]) == {7: 10, 10: 20}
    with pytest.raises(ValueError, match='no frame 4'):
        levels(tmp_path, [3, 4])
    named = tmp_path / 'named'
    named.mkdir()
    write(named, ['a.png', 'c.png', 'b.png'])
    assert levels(named, [1, 3]) == {1: 0, 3: 10}


def test_frames_of_different_size(tmp_path):
    write(tmp_path, ['1.png'])
    write(tmp_path, ['2.png'], (40, 60))
    with pytest.raises(ValueError, match='frame 2 is 60 x 40 pixels'):
        levels(tmp_path, [1, 2])


def test_videos(tmp_path):
    path = tmp_path / 'video.avi'
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48))
    for level in range(6):
        video.write(np.full((48, 64, 3), 40 * level, np.uint8))
    video.release()
    found = levels(path, [2, 6])
    assert found == {2: pytest.approx(40, abs=4), 6: pytest.approx(200, abs=4)}
    with pytest.raises(ValueError, match='no frame 7'):
        levels(path, [2, 7])
    with pytest.raises(FileNotFoundError, match='gone.mp4'):
        levels(tmp_path / 'gone.mp4', [1])


@pytest.mark.parametrize(
    'names, message',
    [
        (['1.jpg', '2.jpg', 'preview.jpg'], 'preview.jpg has none'),
        (['1.jpg', '01.png'], 'two frames of one number'),
    ],
)
def test_frames_without_a_number_of_their_own(tmp_path, names, message):
    write(tmp_path, names)
    with pytest.raises(ValueError, match=message):
        levels(tmp_path, [1])


def test_what_is_no_video(tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match='text.mp4 is no video'):
        levels(tmp_path / 'text.mp4', [1])


def test_crops():
    boxes = np.array([[10.4, 20, 30.4, 60], [-5, 90, 20, 130]])
    for given in (boxes, SimpleNamespace(xyxy=boxes)):
        inside, clipped = crop_boxes(FRAME, given)
        np.testing.assert_array_equal(inside, FRAME[20:60, 10:30])
        np.testing.assert_array_equal(clipped, FRAME[90:100, 0:20])
    (wider,) = crop_boxes(FRAME, boxes[:1], margin=0.5)
    np.testing.assert_array_equal(wider, FRAME[10:70, 5:35])
    assert crop_boxes(FRAME, np.empty((0, 4))) == []


@pytest.mark.parametrize('box', [[80, 0, 90, 10], [5, 5, 5, 9], [9, 9, 5, 5], [0, 0, np.nan, 9]])
def test_boxes_that_show_nobody(box):
    with pytest.raises(ValueError, match='box 1 .* of 80 x 100 pixels; 1 of 2'):
        crop_boxes(FRAME, [[0, 0, 9, 9], box])
    with pytest.raises(ValueError, match=r'\(4,\)'):
        crop_boxes(FRAME, box)


@pytest.mark.parametrize('frame', [None, FRAME[..., 0], FRAME / 255, np.dstack([FRAME, FRAME])])
def test_no_frames(frame):
    with pytest.raises(ValueError, match='a frame is .* not (NoneType|uint8|float64)'):
        crop_boxes(frame, [[0, 0, 9, 9]])


@pytest.mark.parametrize('margin', [-0.1, np.nan, np.inf])
def test_no_margins(margin):
    with pytest.raises(ValueError, match=f'margin is {margin}'):
        crop_boxes(FRAME, [[0, 0, 9, 9]], margin)


def test_visible_shares():
    # The second stands before a quarter of the first, the third alone.
    boxes = np.array([[0, 0, 10, 20], [5, 10, 15, 30], [50, 0, 60, 20]], float)
    np.testing.assert_allclose(visible_shares(boxes), [0.75, 1, 1])


def test_sharpness_falls_with_blur():
    crop = np.random.default_rng(0).integers(0, 256, (80, 40, 3), dtype=np.uint8)
    assert sharpness(crop) > 2 * sharpness(cv2.GaussianBlur(crop, (0, 0), 2))
