import numpy as np
import pytest

from passreid.rendering.cameras import build_camera, photograph


@pytest.mark.parametrize('domain', ['a', 'b'])
def test_each_camera_has_its_colors_and_a_scene_near_gray(domain):
    cameras = [build_camera(0, domain, 'labelled', n, 4, 96) for n in range(4)]
    for place, first in enumerate(cameras):
        # A saturated place would tell pictures apart before the person does.
        assert np.ptp(first.scene.reshape(-1, 3).mean(axis=0)) < 25
        for second in cameras[:place]:
            assert np.abs(first.color - second.color).max() > 0.01
            assert not np.array_equal(first.scene, second.scene)


def test_photograph_is_reproducible_and_noisy():
    camera = build_camera(0, 'a', 'labelled', 0, 4, 96)
    gray = np.full((96, 48, 3), 128, np.uint8)
    shots = [photograph(gray, camera, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(shots[0], shots[1])
    assert not np.array_equal(shots[0], shots[2])
    assert shots[0].std(axis=(0, 1)).mean() == pytest.approx(camera.noise, rel=0.15)
