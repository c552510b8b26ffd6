import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from passreid.datasets.transforms.random_crop_box import random_crop_boxes

RATIO = (3 / 4, 4 / 3)
DRAWS = 4000


def _draw(height, width, scale, count=DRAWS, ratio=RATIO):
    return random_crop_boxes(
        np.full(count, height), np.full(count, width), np.array([scale] * count), ratio
    )


def _summary(boxes, height, width):
    top, left, crop_height, crop_width = np.asarray(boxes, dtype=float).T
    area = crop_height * crop_width / (height * width)
    log_ratio = np.log(crop_width / crop_height)
    centre = (top + crop_height / 2) / height, (left + crop_width / 2) / width
    columns = np.stack((area, log_ratio, *centre), 1)
    return np.concatenate((columns.mean(0), columns.std(0)))


@pytest.mark.parametrize(
    ('height', 'width', 'scale'),
    [(256, 128, (0.4, 1.0)), (128, 128, (0.1, 0.8)), (97, 143, (0.1, 0.8))],
)
def test_boxes_are_distributed_as_those_of_torchvision(height, width, scale):
    np.random.seed(0)
    torch.manual_seed(0)
    image = torch.empty(3, height, width)
    expected = [RandomResizedCrop.get_params(image, scale, RATIO) for _ in range(DRAWS)]
    ours, theirs = (
        _summary(_draw(height, width, scale), height, width),
        _summary(expected, height, width),
    )
    # Means of both samples differ by about sqrt(2 / DRAWS) standard deviations.
    tolerance = 4 * np.sqrt(2 / DRAWS) * np.concatenate((theirs[4:], theirs[4:]))
    assert (np.abs(ours - theirs) <= tolerance).all()


def test_fallback_on_tall_images_is_as_frequent_as_torchvisions():
    np.random.seed(0)
    torch.manual_seed(0)
    # The fallback is the fixed centre crop: full width, 128 / 0.75 = 171 rows.
    fallback = (42, 0, 171, 128)
    image = torch.empty(3, 256, 128)
    expected = [RandomResizedCrop.get_params(image, (0.4, 1.0), RATIO) for _ in range(DRAWS)]
    share = (np.array(expected) == fallback).all(1).mean()
    boxes = _draw(256, 128, (0.4, 1.0), 10 * DRAWS)
    # Four standard errors of the share among torchvision's draws.
    tolerance = 4 * np.sqrt(0.13 * 0.87 / DRAWS)
    assert (boxes == fallback).all(1).mean() == pytest.approx(share, abs=tolerance)
    assert boxes[:, 2].max() == 171
    assert (boxes[:, 2] * boxes[:, 3]).mean() / (256 * 128) == pytest.approx(0.51, abs=0.005)


@pytest.mark.parametrize(('height', 'width'), [(1, 1), (1, 60), (60, 1), (3, 200), (17, 5)])
def test_boxes_stay_inside_areas_of_any_shape(height, width):
    np.random.seed(0)
    top, left, crop_height, crop_width = _draw(height, width, (0.1, 1.0), 500).T
    assert (top >= 0).all() and (left >= 0).all()
    assert (crop_height >= 1).all() and (crop_width >= 1).all()
    assert (top + crop_height <= height).all() and (left + crop_width <= width).all()


def test_areas_of_different_size_get_their_own_boxes():
    np.random.seed(0)
    heights, widths = np.array([10, 100, 1000]), np.array([1000, 100, 10])
    for _ in range(50):
        boxes = random_crop_boxes(heights, widths, np.array([(0.3, 0.5)] * 3), RATIO)
        assert (boxes[:, 0] + boxes[:, 2] <= heights).all()
        assert (boxes[:, 1] + boxes[:, 3] <= widths).all()


def test_seed_fixes_the_boxes():
    np.random.seed(3)
    first = _draw(256, 128, (0.4, 1.0), 11)
    second = _draw(256, 128, (0.4, 1.0), 11)
    np.random.seed(3)
    assert (first == _draw(256, 128, (0.4, 1.0), 11)).all()
    assert (first != second).any()
