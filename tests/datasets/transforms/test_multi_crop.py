import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from PIL import Image
from torchvision.transforms import RandomResizedCrop

from passreid.datasets.transforms import PackViews, PartAwareMultiCrop, part_areas
from passreid.datasets.transforms.multi_crop import random_crop_boxes
from passreid.registry import TRANSFORMS


def _image(height=96, width=48, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _transform(**kwargs):
    kwargs = {'global_size': (64, 32), 'local_size': (32, 16), **kwargs}
    return TRANSFORMS.build({'type': 'PartAwareMultiCrop', **kwargs})


@pytest.mark.parametrize(('options', 'count'), [({}, 9), (dict(num_parts=0, num_local_whole=7), 7)])
def test_views_have_the_published_numbers_and_sizes(options, count):
    views = PartAwareMultiCrop(**options)({'img': _image(256, 128)})['views']
    assert views['global_views'].shape == (2, 256, 128, 3)
    assert views['local_views'].shape == (count, 128, 64, 3)
    assert {view.dtype for view in views.values()} == {np.dtype(np.uint8)}


@pytest.mark.parametrize('num_parts', [1, 3, 5])
@pytest.mark.parametrize('size', [(97, 51), (30, 200), (9, 7), (1, 60)])
def test_each_local_view_lies_inside_its_area(num_parts, size):
    np.random.seed(0)
    transform = _transform(num_parts=num_parts, local_per_part=4, keep_boxes=True)
    areas = np.array(part_areas(*size, num_parts)).repeat(4, axis=0)
    for _ in range(30):
        boxes = transform({'img': _image(*size)})['view_boxes']['local_views']
        assert len(boxes) == 4 * num_parts and (boxes >= [0, 0, 1, 1]).all()
        assert (boxes[:, :2] >= areas[:, :2]).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= areas[:, :2] + areas[:, 2:]).all()


def test_views_show_the_pixels_of_their_boxes():
    # Each row has its own gray level, so a view tells which rows it shows.
    image = np.arange(240, dtype=np.uint8)[:, None, None].repeat(120, 1).repeat(3, 2)
    np.random.seed(0)
    results = _transform(keep_boxes=True)({'img': image})
    for kind, views in results['views'].items():
        for view, (top, _, height, _) in zip(views, results['view_boxes'][kind], strict=True):
            assert abs(int(view.min()) - top) <= 3
            assert abs(int(view.max()) - (top + height - 1)) <= 3


@pytest.mark.parametrize('size', [(20, 10), (100, 50), (150, 14), (512, 20), (300, 150)])
@pytest.mark.parametrize('noise', [False, True], ids=['image', 'noise'])
def test_resizing_is_close_to_antialiased_bicubic(size, noise):
    image = _image(*size)
    if noise:  # It shows aliasing where an image shrinks much.
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    # A share of one and the ratio of the image itself: every crop is the whole image.
    ratio = size[1] / size[0]
    whole = dict(global_scale=(1.0, 1.0), aspect_ratio=(ratio, ratio))
    transform = _transform(num_parts=0, num_local_whole=0, **whole)
    view = transform({'img': image})['views']['global_views'][0].astype(float)
    expected = np.asarray(Image.fromarray(image).resize((32, 64), Image.Resampling.BICUBIC))
    error = np.abs(view - expected).mean()
    if not noise:
        assert error < 2
    elif min(size[0] / 64, size[1] / 32) > 4:
        aliased = cv2.resize(image, (32, 64), interpolation=cv2.INTER_CUBIC).astype(float)
        assert error < 0.25 * np.abs(aliased - expected).mean()


def test_what_is_impossible_is_named():
    with pytest.raises(TypeError, match=r'uint8.*a\.jpg'):
        _transform()({'img': np.zeros((8, 8), np.uint8), 'img_path': 'a.jpg'})
    with pytest.raises(ValueError, match='local_scale'):
        _transform(local_scale=(0.8, 0.1))


def test_collated_batches_have_images_first_and_keep_the_data_samples():
    crop = _transform(num_parts=2, local_per_part=2, keep_boxes=True)
    samples = [{'img': np.full((40, 20, 3), n, np.uint8), 'sample_idx': n} for n in range(3)]
    batch = default_collate([PackViews()(crop(sample)) for sample in samples])
    inputs = batch['inputs']
    assert inputs['global_views'].shape == (3, 2, 64, 32, 3)
    assert inputs['local_views'].shape == (3, 4, 32, 16, 3)
    assert inputs['local_views'].dtype == torch.uint8
    for n, sample in enumerate(batch['data_samples']):
        assert (inputs['local_views'][n] == n).all() and sample.sample_idx == n
        assert sample.view_boxes['local_views'].shape == (4, 4)


def test_three_areas_are_upper_middle_and_lower_half():
    assert part_areas(101, 33, 3) == [(0, 0, 50, 33), (25, 0, 50, 33), (50, 0, 50, 33)]
    assert part_areas(101, 33, 0) == [(0, 0, 101, 33)]


RATIO = (3 / 4, 4 / 3)
DRAWS = 4000


def _summary(boxes, height, width):
    top, left, crop_height, crop_width = np.asarray(boxes, dtype=float).T
    area = crop_height * crop_width / (height * width)
    log_ratio = np.log(crop_width / crop_height)
    center = (top + crop_height / 2) / height, (left + crop_width / 2) / width
    columns = np.stack((area, log_ratio, *center), 1)
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
    sides = np.full(DRAWS, height), np.full(DRAWS, width)
    drawn = random_crop_boxes(*sides, np.array([scale] * DRAWS), RATIO)
    ours, theirs = (_summary(boxes, height, width) for boxes in (drawn, expected))
    # Means of both samples differ by about sqrt(2 / DRAWS) standard deviations.
    tolerance = 4 * np.sqrt(2 / DRAWS) * np.concatenate((theirs[4:], theirs[4:]))
    assert (np.abs(ours - theirs) <= tolerance).all()
