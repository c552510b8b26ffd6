import os

import numpy as np
import pytest

from passreid.datasets import FolderReID
from passreid.datasets.folder_reid import hold_out, parse_id

ID_CAM = r'(?P<pid>[^_]+)_(?P<camera>[^_]+)_'


def rows(dataset):
    return [
        (os.path.relpath(info['img_path'], dataset.data_root), info['gt_label'], info['cam_id'])
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def test_a_folder_for_each_person(tmp_path, write_images):
    write_images(tmp_path, ['id_b/2.jpg', 'id_b/1.jpg', 'id_a/x/3.jpg', 'id_ä ö/4.jpg'])
    dataset = FolderReID(str(tmp_path), pid_from='folder')
    # Persons are numbered in the order of their numbers, which are hashes here.
    numbers = [parse_id(name) for name in ('id_a', 'id_b', 'id_ä ö')]
    a, b, c = (sorted(numbers).index(number) for number in numbers)
    assert rows(dataset) == [
        ('id_a/x/3.jpg', a, -1),
        ('id_b/1.jpg', b, -1),
        ('id_b/2.jpg', b, -1),
        ('id_ä ö/4.jpg', c, -1),
    ]
    assert dataset.num_ids == 3


@pytest.fixture
def divided(tmp_path, write_images):
    write_images(tmp_path / 'train', ['a/1.jpg', 'b/1.jpg'])
    write_images(tmp_path / 'query', ['c/1.jpg'])
    write_images(tmp_path / 'gallery', ['d/1.jpg', 'c/2.jpg'])
    return tmp_path


def test_folders_of_the_splits(divided, tmp_path_factory, write_images):
    assert sorted(FolderReID(str(divided), pid_from='folder').pids.tolist()) == [0, 1]
    test = FolderReID(str(divided), 'test', pid_from='folder')
    c, d = parse_id('c'), parse_id('d')
    assert rows(test) == [('query/c/1.jpg', c, -1), ('gallery/c/2.jpg', c, -1)] + [
        ('gallery/d/1.jpg', d, -1)
    ]
    # Folders of other names, and elsewhere.
    (divided / 'query').rename(divided / 'probe images')
    away = write_images(tmp_path_factory.mktemp('away'), ['c/3.jpg'])
    folders = {'query': 'probe images', 'gallery': str(away)}
    test = FolderReID(str(divided), 'test', pid_from='folder', folders=folders)
    expected = [f'{divided}/probe images/c/1.jpg', f'{away}/c/3.jpg']
    assert [test.image_name(idx) for idx in range(2)] == expected


def test_division_by_a_rule(tmp_path, write_images):
    names = [f'{pid}_{camera}_{n}.jpg' for pid in range(10) for camera in 'ab' for n in range(3)]
    write_images(tmp_path, names)
    options = {'data_root': str(tmp_path), 'pattern': ID_CAM, 'test_ids': 0.4}
    train, test = (FolderReID(split=split, **options) for split in ('train', 'test'))
    assert (train.num_ids, test.num_ids) == (6, 4)
    # A query for each person and camera.
    assert sum(test.get_data_info(idx)['is_query'] for idx in range(24)) == 8
    paths = [dataset.image_name(i) for dataset in (train, test) for i in range(len(dataset))]
    assert sorted(paths) == sorted(str(tmp_path / name) for name in names)


def test_names_that_do_not_match(tmp_path, write_images, log):
    write_images(tmp_path, ['1_2_a.jpg', 'person.jpg', 'x/other.jpg', '2_2_a.jpg'])
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(ValueError, match=f'^{tmp_path}/person.jpg'):
        FolderReID(str(tmp_path), pattern=ID_CAM)
    dataset = FolderReID(str(tmp_path), pattern=ID_CAM, ignore_unmatched=True)
    assert [name for name, *_ in rows(dataset)] == ['1_2_a.jpg', '2_2_a.jpg']
    assert f'{tmp_path}/person.jpg, like 2 of 4 images' in log()


@pytest.mark.parametrize(
    ('pattern', 'path', 'found'),
    [
        # The file name counts, not its folders, and from the beginning.
        (ID_CAM, '01_02/anna_5_17.jpg', ('anna', '5')),
        (r'(?P<pid>\d+)', 'x12.jpg', ('', '')),
        (r'(?P<pid>\d+)(_c(?P<camera>\d))?', '12.jpg', ('12', '')),
        # With a '/', the path counts.
        (r'(?P<camera>\w+)/(?P<pid>\w+)/', '07\\anna\\1.jpg', ('anna', '07')),
        (None, 'Łukasz b/day/1.jpg', ('Łukasz b', '')),
        (r'.*_c(?P<camera>\d)', 'anna/1_c4.jpg', ('anna', '4')),
        (r'[^/]+/(?P<camera>[^/]+)/', 'anna/2/1.jpg', ('anna', '2')),
    ],
)
def test_names(tmp_path, pattern, path, found):
    pid_from = 'name' if pattern and 'pid' in pattern else 'folder'
    dataset = FolderReID(str(tmp_path), pattern=pattern, pid_from=pid_from, lazy_init=True)
    assert dataset.read_name(path) == found


def test_numbers_of_ids():
    assert [parse_id(text) for text in ('0', '0042', '-1', '9' * 15)] == [0, 42, -1, 10**15 - 1]
    texts = ['Łukasz Żak', '-2', '1.5', '²', '٣', '9' * 40, '\udcff', *map('p{}'.format, range(99))]
    numbers = {parse_id(text) for text in texts}
    assert len(numbers) == len(texts) and min(numbers) >= 0 and max(numbers) < 2**52
    # Never changes.
    assert parse_id('anna') == 1501356105369965


def test_persons_for_test_may_be_named(tmp_path, write_images):
    write_images(tmp_path, ['anna/1.jpg', 'anna/2.jpg', '7/1.jpg', '7/2.jpg', 'bert/1.jpg'])
    options = dict(data_root=str(tmp_path), pid_from='folder', test_ids={'anna', '007'})
    assert rows(FolderReID(**options)) == [('bert/1.jpg', 0, -1)]
    assert len(FolderReID(split='query', **options)) == 2
    with pytest.raises(ValueError, match="'ana'"):
        FolderReID(**options | dict(test_ids=['ana']))
    write_images(tmp_path, ['07/1.jpg'])
    with pytest.raises(ValueError, match="'07' and '7'"):
        FolderReID(**options)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'folders': {'val': 'x'}}, 'train'),
        ({'test_ids': 0.5}, 'test_ids'),
        ({'test_ids': 'ana'}, "'ana'"),
        ({'pattern': '(?P<pid'}, 'no regular expression'),
        ({'folders': {'train': 'a'}, 'split': 'test'}, 'gallery and query'),
        ({'pid_from': 'name', 'pattern': r'(?P<camera>\d)'}, r'\(\?P<pid>'),
        ({'pattern': r'(?P<pid>\d)'}, "pid_from='folder'"),
    ],
)
def test_arguments_that_contradict_each_other(divided, options, message):
    with pytest.raises(ValueError, match=message):
        FolderReID(str(divided), **{'pid_from': 'folder'} | options)


@pytest.mark.parametrize(
    ('pids', 'cam_ids', 'queries'),
    [
        # One for each person and camera with several images.
        ([7] * 5 + [8] * 2, [0] * 3 + [1] * 2 + [0] * 2, [(7, 0), (7, 1), (8, 0)]),
        # A single image of a camera stays in the gallery, or the others would have no match.
        ([3] * 3, [0, 0, 1], [(3, 0)]),
        ([3] * 4, [-1] * 4, [(3, -1)]),
        ([3], [0], []),
    ],
)
def test_queries_of_held_out_persons(pids, cam_ids, queries):
    splits = hold_out(np.array(pids), np.array(cam_ids), [*set(pids)])
    chosen = np.flatnonzero(splits == 'query')
    assert sorted((pids[i], cam_ids[i]) for i in chosen) == queries
    assert (splits == 'gallery').sum() == len(pids) - len(queries)


def test_seed_chooses_persons_and_queries():
    pids, cam_ids = np.repeat(np.arange(20), 6), np.tile([0, 0, 0, 1, 1, 1], 20)
    divided = [hold_out(pids, cam_ids, 0.5, seed) for seed in (0, 0, *range(1, 20))]
    np.testing.assert_array_equal(divided[0], divided[1])
    assert set(pids[divided[0] == 'train']) != set(pids[divided[2] == 'train'])
    # Any image can be a query.
    places = np.flatnonzero(np.array(divided) == 'query') % 6
    assert set(places.tolist()) == set(range(6))


@pytest.mark.parametrize('test_ids', [0.1, 1.0])
def test_impossible_test_ids(test_ids):
    with pytest.raises(ValueError, match='test_ids'):
        hold_out(np.array([1, 2, 3]), np.zeros(3, int), test_ids)
