import numpy as np
import pytest

from passreid.tracks.scores import score_tracks
from passreid.tracks.track_files import Tracks


def camera(ids, shift=0.0):
    """Somebody who stands still for ten frames, under the ids of each."""
    frames = np.arange(1, 11)
    return Tracks(frames, np.array(ids), np.tile([0.0, 0, 10, 20], (10, 1)) + shift, [])


def test_scores_are_over_all_cameras():
    truth = [camera([1] * 10), camera([1] * 10)]
    perfect = score_tracks(truth, truth)
    assert perfect == pytest.approx(dict.fromkeys(perfect, 100))
    # Right in each camera alone, but nobody is the same in both.
    apart = score_tracks(truth, [camera([5] * 10), camera([6] * 10)])
    assert apart['IDF1'] == pytest.approx(50) and apart['DetA'] == pytest.approx(100)
    assert apart['AssA'] == pytest.approx(50)
    moved = score_tracks(truth, [camera([1] * 10, 100.0), camera([1] * 10)])
    assert moved['IDF1'] == pytest.approx(50)
