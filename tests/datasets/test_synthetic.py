import csv

import pytest

from passreid.registry import DATASETS

SETTINGS = dict(
    image_size=(32, 16),
    train_ids=3,
    train_images_per_id=4,
    test_ids=2,
    test_images_per_id=4,
    unlabelled_ids=4,
    unlabelled_images_per_id=3,
    unlabelled_cameras=12,
)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return str(tmp_path_factory.mktemp('synthetic'))


def make(root, **kwargs):
    options = dict(data_root=root, settings=SETTINGS, num_workers=1)
    dataset = DATASETS.build(dict(type='SyntheticReID', **options, **kwargs))
    return dataset, [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize(
    ('split', 'length', 'labels', 'queries'), [('train', 12, {0, 1, 2}, 0), ('test', 8, {4, 5}, 4)]
)
def test_splits(root, split, length, labels, queries):
    dataset, infos = make(root, split=split)
    assert len(infos) == length
    assert {info['gt_label'] for info in infos} == labels
    assert sum(info['is_query'] for info in infos) == queries
    assert {info['cam_id'] for info in infos} <= set(range(4))
    assert dataset.test_mode == (split == 'test')


def test_pool_has_the_cameras_of_the_side_file_and_no_persons(root):
    dataset, infos = make(root, split='unlabelled')
    assert {info['gt_label'] for info in infos} == {-1} and not dataset.test_mode
    with open(f'{dataset.data_root}/unlabelled_pids.csv') as stream:
        expected = {row['file']: int(row['camera']) - 1 for row in csv.DictReader(stream)}
    assert {info['img_path'].rpartition('/')[2]: info['cam_id'] for info in infos} == expected
