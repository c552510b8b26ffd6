import pytest
from mmengine.dataset import BaseDataset

from passreid.datasets import Market1501
from passreid.datasets.storage.bad_images import BadImageError
from passreid.registry import DATASETS


@pytest.fixture
def root(tmp_path, write_images):
    write_images(
        tmp_path / 'bounding_box_train',
        ['0007_c3s1_000001_00.jpg', '0002_c1s1_000451_03.jpg', '0002_c6s2_000451_03.jpg']
        + ['0000_c1s1_000001_00.jpg', '-1_c1s1_000001_00.jpg'],
    )
    write_images(tmp_path / 'query', ['1501_c2s1_000001_00.jpg'])
    write_images(
        tmp_path / 'bounding_box_test',
        ['-1_c1s1_000401_03.jpg', '0000_c4s1_000151_01.jpg', '1501_c5s1_000001_00.jpg'],
    )
    (tmp_path / 'query' / 'Thumbs.db').touch()
    return tmp_path


def rows(dataset):
    return [
        (info['img_path'].rpartition('/')[2], info['gt_label'], info['cam_id'])
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def test_train(root):
    assert rows(Market1501(str(root))) == [
        ('0002_c1s1_000451_03.jpg', 0, 0),
        ('0002_c6s2_000451_03.jpg', 0, 5),
        ('0007_c3s1_000001_00.jpg', 1, 2),
    ]


def test_junk_is_dropped_and_distractors_stay_in_the_gallery(root):
    dataset = Market1501(str(root), 'test')
    assert rows(dataset) == [
        ('1501_c2s1_000001_00.jpg', 1501, 1),
        ('0000_c4s1_000151_01.jpg', 0, 3),
        ('1501_c5s1_000001_00.jpg', 1501, 4),
    ]
    assert dataset.get_data_info(0)['is_query']


@pytest.mark.parametrize('name', ['market1501', 'Market-1501-v15.09.15'])
def test_unzipped_folder_is_found(tmp_path, write_images, name):
    write_images(tmp_path / name / 'query', ['0003_c1s1_000001_00.jpg'])
    assert len(Market1501(str(tmp_path), 'query')) == 1


@pytest.mark.parametrize(
    'name', ['person.jpg', '0002.jpg', '2_cam.jpg', '-2_c1s1.jpg', '2_c0s1.jpg']
)
def test_unknown_name_is_an_error(root, name):
    (root / 'query' / name).touch()
    with pytest.raises(ValueError, match=f'the name of {root}/query/{name} does not begin'):
        Market1501(str(root), 'query')


def test_camera_zero_is_named(root):
    (root / 'query' / '0002_c0s1_000451_03.jpg').touch()
    with pytest.raises(ValueError, match=r'0002_c0s1.* camera from 1 on .*FolderReID'):
        Market1501(str(root), 'query')


def test_published_counts(root, log):
    Market1501(str(root), 'test')
    assert 'published with 3368 images of 750 ids in its query split' in log()
    assert 'published with 15913 images of 751 ids in its gallery split' in log()


def test_bad_image_is_replaced_in_training_only(root):
    (root / 'bounding_box_train' / '0002_c1s1_000451_03.jpg').write_bytes(b'')
    config = {
        'type': 'Market1501',
        'data_root': str(root),
        'pipeline': [{'type': 'LoadPersonImage'}],
        'max_bad_share': 1,
    }
    dataset = DATASETS.build(config)
    assert isinstance(dataset, BaseDataset)
    assert dataset[0]['sample_idx'] in (1, 2)
    with pytest.raises(BadImageError, match=r'0002_c1s1_000451_03\.jpg: the file is empty'):
        DATASETS.build(config | {'test_mode': True})[0]


def test_camera_of_too_many_digits_is_refused(tmp_path, write_images):
    write_images(tmp_path / 'bounding_box_train', ['0002_c12345678901s1_000001_00.jpg'])
    with pytest.raises(ValueError, match='does not begin with pid and camera'):
        Market1501(str(tmp_path))
