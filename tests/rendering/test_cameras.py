import numpy as np
import pytest

from passreid.rendering.cameras import build_camera, photograph

TOTAL, HEIGHT = 4, 96


def cameras(domain, seed=0):
    return [build_camera(seed, domain, 'labelled', n, TOTAL, HEIGHT) for n in range(TOTAL)]


@pytest.mark.parametrize('domain', ['a', 'b'])
def test_each_camera_has_its_colours_and_scene(domain):
    found = cameras(domain)
    for first in range(TOTAL):
        for second in range(first):
            assert np.abs(found[first].color - found[second].color).max() > 0.01
            assert not np.array_equal(found[first].scene, found[second].scene)


@pytest.mark.parametrize('domain', ['a', 'b'])
def test_scenes_stay_near_grey(domain):
    # A saturated place would tell pictures apart before the person does.
    for camera in cameras(domain):
        spread = np.ptp(camera.scene.reshape(-1, 3).mean(axis=0))
        assert spread < 25


def test_photograph_is_reproducible_and_noisy():
    camera = cameras('a')[0]
    grey = np.full((96, 48, 3), 128, np.uint8)
    first, again, other = (
        photograph(grey, camera, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std(axis=(0, 1)).mean() == pytest.approx(camera.noise, rel=0.15)
