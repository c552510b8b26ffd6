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
    return DATASETS.build(dict(type='SyntheticReID', **options, **kwargs))


@pytest.mark.parametrize(
    ('split', 'length', 'labels', 'queries'),
    [('train', 12, {0, 1, 2}, 0), ('test', 8, {4, 5}, 4), ('unlabelled', 12, {-1}, 0)],
)
def test_splits(root, split, length, labels, queries):
    dataset = make(root, split=split)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert len(infos) == length
    assert {info['gt_label'] for info in infos} == labels
    assert sum(info['is_query'] for info in infos) == queries
    assert {info['cam_id'] for info in infos} <= set(range(12 if split == 'unlabelled' else 4))
    assert dataset.test_mode == (split not in ('train', 'unlabelled'))


def test_cameras_of_the_pool_are_those_of_the_side_file(root):
    dataset = make(root, split='unlabelled')
    with open(f'{dataset.data_root}/unlabelled_pids.csv') as stream:
        expected = {row['file']: int(row['camera']) - 1 for row in csv.DictReader(stream)}
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert {info['img_path'].rpartition('/')[2]: info['cam_id'] for info in infos} == expected
