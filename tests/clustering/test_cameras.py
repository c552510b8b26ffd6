import numpy as np
import pytest

from passreid.clustering import standardize_by_camera
from passreid.clustering.cameras import PRIOR


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def literal(features, cam_ids):
    """The same, image by image."""
    mean, variance = features.mean(0), features.var(0)
    rows = []
    for feature, camera in zip(features, cam_ids, strict=True):
        own = features[cam_ids == camera]
        center = (own.sum(0) + PRIOR * mean) / (len(own) + PRIOR)
        spread = (((own - own.mean(0)) ** 2).sum(0) + PRIOR * variance) / (len(own) + PRIOR)
        if camera == -1:
            center, spread = mean, variance
        rows.append((feature - center) / np.sqrt(spread))
    return unit(np.array(rows))


def test_equals_the_literal_definition():
    generator = np.random.default_rng(0)
    cam_ids = generator.choice([-1, 0, 3, 2**40], 200, p=[0.1, 0.5, 0.38, 0.02])
    features = generator.normal(cam_ids[:, None] % 5, 1 + cam_ids[:, None] % 3, (200, 6))
    found = standardize_by_camera(features.astype(np.float32), cam_ids)
    np.testing.assert_allclose(found, literal(features, cam_ids), atol=1e-5)
    assert found.dtype == np.float32


def test_what_a_camera_adds_is_gone():
    generator = np.random.default_rng(1)
    people = np.tile(generator.normal(size=(1000, 8)), (2, 1))
    cam_ids = np.repeat([0, 1], 1000)
    scale, shift = generator.uniform(0.5, 2, (2, 8)), generator.normal(0, 2, (2, 8))
    found = standardize_by_camera(people * scale[cam_ids] + shift[cam_ids], cam_ids)
    assert (found[:1000] * found[1000:]).sum(1).min() > 0.95


def test_without_cameras_all_are_one():
    features = np.random.default_rng(2).normal(3, 2, (50, 4))
    found = standardize_by_camera(features, np.full(50, -1))
    expected = unit((features - features.mean(0)) / features.std(0))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # A dimension that says nothing stays at 0.
    constant = standardize_by_camera(np.column_stack([features, np.ones(50)]), np.zeros(50, int))
    assert np.isfinite(constant).all() and np.abs(constant[:, 4]).max() < 1e-3


def test_wrong_cameras():
    with pytest.raises(ValueError, match=r'cam_ids have shape \(3,\), expected \(4,\)'):
        standardize_by_camera(np.eye(4), [0, 1, 2])
