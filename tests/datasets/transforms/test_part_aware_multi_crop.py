import cv2
import numpy as np
import pytest
from PIL import Image

from passreid.datasets.transforms import PartAwareMultiCrop, part_areas
from passreid.registry import TRANSFORMS


def _image(height=96, width=48, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _transform(**kwargs):
    kwargs = {'global_size': (64, 32), 'local_size': (32, 16), **kwargs}
    return TRANSFORMS.build({'type': 'PartAwareMultiCrop', **kwargs})


def test_views_have_the_published_numbers_and_sizes():
    views = PartAwareMultiCrop()({'img': _image(256, 128)})['views']
    assert views['global_views'].shape == (2, 256, 128, 3)
    assert views['local_views'].shape == (9, 128, 64, 3)
    assert {view.dtype for view in views.values()} == {np.dtype(np.uint8)}
    assert all(view.flags.c_contiguous for view in views.values())


@pytest.mark.parametrize('num_parts', [1, 2, 3, 5])
@pytest.mark.parametrize('size', [(96, 48), (97, 51), (30, 200), (9, 7)])
def test_each_local_view_lies_inside_its_area(num_parts, size):
    np.random.seed(0)
    transform = _transform(num_parts=num_parts, local_per_part=4, keep_boxes=True)
    areas = np.array(part_areas(*size, num_parts)).repeat(4, axis=0)
    for _ in range(30):
        boxes = transform({'img': _image(*size)})['view_boxes']['local_views']
        assert len(boxes) == 4 * num_parts
        assert (boxes[:, :2] >= areas[:, :2]).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= areas[:, :2] + areas[:, 2:]).all()


def test_local_views_show_the_pixels_of_their_boxes():
    # Each row has its own grey level, so a view tells which rows it shows.
    image = np.arange(240, dtype=np.uint8)[:, None, None].repeat(120, 1).repeat(3, 2)
    np.random.seed(0)
    results = _transform(keep_boxes=True)({'img': image})
    for kind in ('global_views', 'local_views'):
        for view, (top, _, height, _) in zip(
            results['views'][kind], results['view_boxes'][kind], strict=True
        ):
            assert abs(int(view.min()) - top) <= 3
            assert abs(int(view.max()) - (top + height - 1)) <= 3


def test_without_parts_local_views_come_from_the_whole_image():
    np.random.seed(0)
    transform = _transform(num_parts=0, num_local_whole=7, keep_boxes=True)
    boxes = np.concatenate(
        [transform({'img': _image()})['view_boxes']['local_views'] for _ in range(30)]
    )
    assert len(boxes) == 7 * 30
    crosses_the_middle = (boxes[:, 0] < 24) & (boxes[:, 0] + boxes[:, 2] > 72)
    assert crosses_the_middle.any()


def test_no_local_views_is_possible():
    views = _transform(local_per_part=0)({'img': _image()})['views']
    assert views['local_views'].shape == (0, 32, 16, 3)


@pytest.mark.parametrize('size', [(1, 1), (300, 1), (1, 300), (2, 3), (400, 300)])
def test_tiny_and_large_images_work(size):
    views = _transform()({'img': _image(*size)})['views']
    assert views['global_views'].shape == (2, 64, 32, 3)
    assert views['local_views'].shape == (9, 32, 16, 3)


@pytest.mark.parametrize('crop', [(20, 10), (100, 50), (300, 200), (150, 14), (30, 120)])
def test_resizing_is_close_to_antialiased_bicubic(crop):
    image = _image(*crop)
    # A share of one and the ratio of the image itself: every crop is the whole image.
    ratio = crop[1] / crop[0]
    transform = _transform(
        num_parts=0, global_scale=(1.0, 1.0), aspect_ratio=(ratio, ratio), num_local_whole=0
    )
    view = transform({'img': image})['views']['global_views'][0]
    expected = np.asarray(Image.fromarray(image).resize((32, 64), Image.Resampling.BICUBIC))
    assert np.abs(view.astype(float) - expected).mean() < 2


@pytest.mark.parametrize('size', [(40, 256), (512, 20), (300, 150)])
def test_strong_shrinking_does_not_alias(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    ratio = size[1] / size[0]
    transform = _transform(
        num_parts=0, global_scale=(1.0, 1.0), aspect_ratio=(ratio, ratio), num_local_whole=0
    )
    view = transform({'img': noise})['views']['global_views'][0]
    antialiased = Image.fromarray(noise).resize((32, 64), Image.Resampling.BICUBIC)
    aliased = cv2.resize(noise, (32, 64), interpolation=cv2.INTER_CUBIC)
    error = np.abs(view.astype(float) - np.asarray(antialiased)).mean()
    assert error < 0.25 * np.abs(aliased.astype(float) - np.asarray(antialiased)).mean()


def test_seed_fixes_the_views_and_the_image_stays():
    image = _image()
    before = image.copy()
    np.random.seed(5)
    first = _transform()({'img': image})['views']
    second = _transform()({'img': image})['views']
    np.random.seed(5)
    again = _transform()({'img': image})['views']
    assert (first['local_views'] == again['local_views']).all()
    assert (first['global_views'] == again['global_views']).all()
    assert (first['local_views'] != second['local_views']).any()
    assert (image == before).all()


@pytest.mark.parametrize(
    'image', [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), [[0]]]
)
def test_other_images_are_refused_by_name(image):
    with pytest.raises(TypeError, match=r'uint8.*a\.jpg'):
        _transform()({'img': image, 'img_path': 'a.jpg'})


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('num_parts', -1),
        ('local_scale', (0.8, 0.1)),
        ('global_scale', (0.4, 1.5)),
        ('aspect_ratio', (0, 1)),
    ],
)
def test_impossible_arguments_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        _transform(**{name: value})
