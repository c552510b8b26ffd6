from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose

from passreid.apis.image_inputs import list_inputs, load_batches
from passreid.registry import TRANSFORMS

IMAGE = np.full((8, 4, 3), (10, 20, 30), np.uint8)


@pytest.fixture
def pipeline():
    steps = [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(4, 8), backend='pillow'),
        dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
    ]
    return Compose([TRANSFORMS.build(step) for step in steps])


@pytest.fixture
def folder(tmp_path):
    """Three images of 8x4 pixels whose grey values are 50, 100 and 150."""
    for value, name in ((100, 'b.png'), (50, 'a.png'), (150, 'c/d.png')):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 4, 3), value, np.uint8))
    (tmp_path / 'images' / 'notes.txt').touch()
    return tmp_path / 'images'


def test_everything_becomes_one_list(folder):
    a, b, d = (str(folder / name) for name in ('a.png', 'b.png', 'c/d.png'))
    assert list_inputs(a) == list_inputs(Path(a)) == [a]
    assert list_inputs(folder) == list_inputs(f'{folder}') == [a, b, d]
    mixed = list_inputs([Path(b), IMAGE, (np.stack([IMAGE, IMAGE + 1]), [folder])])
    assert mixed[0] == b and mixed[4:] == [a, b, d]
    for image, value in zip(mixed[1:4], (10, 10, 11), strict=True):
        assert image.shape == (8, 4, 3) and image[0, 0, 0] == value


def test_files_need_not_exist_yet():
    assert list_inputs('gone.jpg') == ['gone.jpg']


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        ([], 'empty'),
        (IMAGE[..., 0], r'\(8, 4\)'),
        (IMAGE.transpose(2, 0, 1), r'\(3, 8, 4\)'),
        (IMAGE / 255, 'float64'),
        (17, 'int'),
        ([IMAGE, None], 'NoneType'),
    ],
)
def test_bad_inputs(inputs, message):
    with pytest.raises(ValueError, match=message):
        list_inputs(inputs)


def test_folder_without_images(tmp_path):
    with pytest.raises(ValueError, match=f'no images in the folder {tmp_path}'):
        list_inputs(tmp_path)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_batches_in_order(folder, pipeline, num_workers):
    (folder / 'torn.jpg').write_bytes(b'no image')
    names = ['a.png', 'torn.jpg', 'b.png', 'c/d.png', 'gone.png', 'a.png']
    inputs = [str(folder / name) for name in names]
    inputs[3] = IMAGE
    batches = list(load_batches(inputs, pipeline, 2, num_workers))
    assert [batch.indices for batch in batches] == [[0], [2, 3], [5]]
    assert [list(batch.unreadable) for batch in batches] == [[1], [], [4]]
    torn, gone = batches[0].unreadable[1], batches[2].unreadable[4]
    assert torn.path == inputs[1]
    assert str(gone) == f'bad image {inputs[4]}: No such file or directory'
    values = [batch.data['inputs'][:, 0, 0, 0].tolist() for batch in batches]
    assert values == [[50], [100, 10], [50]]
    samples = [sample for batch in batches for sample in batch.data['data_samples']]
    assert [sample.img_path for sample in samples] == [inputs[0], inputs[2], '', inputs[5]]


def test_arrays_are_taken_as_bgr_like_files(folder, pipeline):
    cv2.imwrite(str(folder / 'colour.png'), IMAGE)
    (batch,) = load_batches([IMAGE, str(folder / 'colour.png')], pipeline, 2)
    first, second = batch.data['inputs']
    assert (first == second).all()
    assert first[:, 0, 0].tolist() == [10, 20, 30]


def test_images_of_different_sizes(pipeline):
    images = [np.full((size, 2 * size, 3), size, np.uint8) for size in (3, 9, 20)]
    (batch,) = load_batches(images, pipeline, 3)
    assert batch.data['inputs'].shape == (3, 3, 8, 4)
    assert batch.data['inputs'][:, 1, 4, 2].tolist() == [3, 9, 20]


def test_batch_without_a_readable_image(pipeline):
    (batch,) = load_batches(['gone.png'], pipeline, 4)
    assert (batch.indices, batch.data) == ([], {})


def test_loading_of_others(folder, pipeline):
    inputs = [str(folder / 'a.png'), 'gone.png', IMAGE]
    foreign = Compose([LoadImageFromFile(), *pipeline.transforms[1:]])
    (batch,) = load_batches(inputs, foreign, 3)
    assert batch.data['inputs'][:, 0, 0, 0].tolist() == [50, 10]
    assert batch.unreadable[1].path == 'gone.png'
