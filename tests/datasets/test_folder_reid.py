import ntpath
import os
from types import SimpleNamespace

import numpy as np
import pytest

from passreid.datasets import FolderReID
from passreid.datasets.storage.text_number import text_number
from passreid.registry import DATASETS

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
    numbers = sorted(text_number(f'id_{name}') for name in ('a', 'b', 'ä ö'))
    label = {name: numbers.index(text_number(f'id_{name}')) for name in ('a', 'b', 'ä ö')}
    assert rows(dataset) == [
        ('id_a/x/3.jpg', label['a'], -1),
        ('id_b/1.jpg', label['b'], -1),
        ('id_b/2.jpg', label['b'], -1),
        ('id_ä ö/4.jpg', label['ä ö'], -1),
    ]
    assert (dataset.num_ids, dataset.num_cameras) == (3, 0)


def test_folders_of_windows(tmp_path, write_images, monkeypatch):
    def real(path):
        return path.replace('\\', '/')

    write_images(tmp_path, ['3/day_2/1.jpg', '4/day_1/1.jpg'])
    windows = SimpleNamespace(
        path=SimpleNamespace(join=ntpath.join),
        stat=lambda path: os.stat(real(path)),
        scandir=lambda path: os.scandir(real(path)),
    )
    monkeypatch.setattr('passreid.datasets.storage.folder_scan.os', windows)
    options = dict(pid_from='folder', pattern=r'[^/]+/day_(?P<camera>\d)/')
    dataset = FolderReID(str(tmp_path), 'query', check_duplicates=False, **options)
    assert [name for name, *_ in rows(dataset)] == ['3\\day_2\\1.jpg', '4\\day_1\\1.jpg']
    assert (dataset.pids.tolist(), dataset.cam_ids.tolist()) == ([3, 4], [2, 1])


def test_persons_and_cameras_in_file_names(tmp_path, write_images):
    write_images(tmp_path, ['0042_3_a.jpg', '7_0_a.jpg', 'more/7_3_b.png'])
    dataset = FolderReID(str(tmp_path), pattern=ID_CAM)
    assert rows(dataset) == [('0042_3_a.jpg', 1, 3), ('7_0_a.jpg', 0, 0), ('more/7_3_b.png', 0, 3)]


@pytest.fixture
def divided(tmp_path, write_images):
    names = {
        'train': ['a/1.jpg', 'b/1.jpg'],
        'query': ['c/1.jpg'],
        'gallery': ['d/1.jpg', 'c/2.jpg'],
    }
    for folder, images in names.items():
        write_images(tmp_path / folder, images)
    return tmp_path


def test_folders_named_as_the_splits_are_found(divided):
    train = FolderReID(str(divided), pid_from='folder')
    assert sorted(train.pids.tolist()) == [0, 1]
    test = FolderReID(str(divided), 'test', pid_from='folder')
    c, d = text_number('c'), text_number('d')
    assert rows(test) == [('query/c/1.jpg', c, -1), ('gallery/c/2.jpg', c, -1)] + [
        ('gallery/d/1.jpg', d, -1)
    ]


def test_query_and_gallery_that_are_loaded_apart_agree(divided):
    query = FolderReID(str(divided / 'query'), 'query', pid_from='folder')
    gallery = FolderReID(str(divided / 'gallery'), 'gallery', pid_from='folder')
    assert query.pids.tolist() == gallery.pids.tolist()[:1]
    assert query.get_data_info(0)['is_query']
    assert query.test_mode


def test_folders_of_other_names(divided, tmp_path_factory, write_images):
    (divided / 'query').rename(divided / 'probe images')
    away = write_images(tmp_path_factory.mktemp('away'), ['c/3.jpg'])
    folders = {'query': 'probe images', 'gallery': str(away)}
    test = FolderReID(str(divided), 'test', pid_from='folder', folders=folders)
    assert [test.image_name(idx) for idx in range(2)] == [
        f'{divided}/probe images/c/1.jpg',
        f'{away}/c/3.jpg',
    ]


def test_missing_folder_shows_the_tree(divided):
    (divided / 'query').rename(divided / 'probe')
    with pytest.raises(FileNotFoundError, match='not found in .*\n.*\n *train/\n *query/\n *gall'):
        FolderReID(str(divided), 'query', pid_from='folder')
    with pytest.raises(FileNotFoundError, match='not found in .*\n.*\n *images, in folders or not'):
        FolderReID(str(divided / 'nothing'), pid_from='folder')


def test_division_by_a_rule(tmp_path, write_images):
    write_images(
        tmp_path,
        [f'{pid}_{camera}_{n}.jpg' for pid in range(10) for camera in 'ab' for n in range(3)],
    )
    options = {'data_root': str(tmp_path), 'pattern': ID_CAM, 'test_ids': 0.4}
    train = FolderReID(split='train', **options)
    test = FolderReID(split='test', **options)
    assert (len(train), len(test)) == (36, 24)
    assert train.pids.tolist() == sorted(train.pids.tolist())
    assert (train.num_ids, test.num_ids, test.num_cameras) == (6, 4, 2)
    is_query = np.array([test.get_data_info(idx)['is_query'] for idx in range(24)])
    # A query for each person and camera.
    assert is_query.sum() == 8
    paths = {
        os.path.basename(dataset.image_name(i)) for dataset in (train, test) for i in range(24)
    }
    assert len(paths) == 48
    other = FolderReID(split='train', split_seed=3, **options)
    assert {rows(other)[i][0] for i in range(36)} != {rows(train)[i][0] for i in range(36)}


@pytest.mark.parametrize('test_ids', [['anna', '7'], ('anna', 7), {'anna', '007'}])
def test_persons_for_test_may_be_named(tmp_path, write_images, test_ids):
    write_images(tmp_path, ['anna/1.jpg', 'anna/2.jpg', '7/1.jpg', '7/2.jpg', 'bert/1.jpg'])
    options = {'data_root': str(tmp_path), 'pid_from': 'folder', 'test_ids': test_ids}
    assert rows(FolderReID(**options)) == [('bert/1.jpg', 0, -1)]
    assert len(FolderReID(split='query', **options)) == 2
    one = FolderReID(split='test', **options | {'test_ids': 'anna'})
    assert [name for name, *_ in rows(one)] in (
        ['anna/1.jpg', 'anna/2.jpg'],
        ['anna/2.jpg', 'anna/1.jpg'],
    )


def test_names_that_do_not_match(tmp_path, write_images, log):
    write_images(tmp_path, ['1_2_a.jpg', 'person.jpg', 'x/other.jpg', '2_2_a.jpg'])
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(ValueError, match=f'^{tmp_path}/person.jpg: the name does not match'):
        FolderReID(str(tmp_path), pattern=ID_CAM)
    dataset = FolderReID(str(tmp_path), pattern=ID_CAM, ignore_unmatched=True)
    assert [name for name, *_ in rows(dataset)] == ['1_2_a.jpg', '2_2_a.jpg']
    assert f'2 images in {tmp_path}/ are left out' in log()
    assert f'the first: {tmp_path}/person.jpg, {tmp_path}/x/other.jpg' in log()


def test_image_outside_of_the_folders(tmp_path, write_images):
    write_images(tmp_path, ['a/1.jpg', 'b.jpg'])
    with pytest.raises(ValueError, match='b.jpg: the image is in no folder that names its person'):
        FolderReID(str(tmp_path), pid_from='folder')


def test_two_texts_for_one_person(tmp_path, write_images):
    write_images(tmp_path, ['7_1_a.jpg', '007_1_a.jpg'])
    with pytest.raises(ValueError, match="'007' and '7', which both get the number 7"):
        FolderReID(str(tmp_path), pattern=ID_CAM)


def test_junk_and_unknown_cameras(tmp_path, write_images):
    write_images(tmp_path, ['-1_1_a.jpg', '0_-1_a.jpg', '3_2_a.jpg'])
    assert rows(FolderReID(str(tmp_path), pattern=ID_CAM)) == [
        ('0_-1_a.jpg', 0, -1),
        ('3_2_a.jpg', 1, 2),
    ]


@pytest.mark.parametrize('ignore', [False, True])
def test_nothing_there(tmp_path, write_images, ignore):
    with pytest.raises(ValueError, match=f'no images in {tmp_path}'):
        FolderReID(str(tmp_path), pid_from='folder', ignore_unmatched=ignore)
    write_images(tmp_path, ['1.jpg'])
    with pytest.raises(ValueError, match='is empty' if ignore else 'in no folder'):
        FolderReID(str(tmp_path), pid_from='folder', ignore_unmatched=ignore)
    with pytest.raises(ValueError):
        FolderReID(str(tmp_path), pid_from='folder', ignore_unmatched=ignore, test_ids=0.5)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'folders': {'val': 'x'}}, r"keys \['val'\]; known are \['train', 'query', 'gallery'\]"),
        ({'test_ids': 0.5}, r"test_ids would divide .* folders \['gallery', 'query', 'train'\]"),
        ({'pid_from': 'name'}, 'the person needs the group'),
        ({'folders': {'query': 'query'}}, 'folders does not name the folder of train'),
        ({'folders': {'train': 'a'}, 'split': 'test'}, 'the folder of gallery and query'),
    ],
)
def test_arguments_that_contradict_each_other(divided, options, message):
    with pytest.raises(ValueError, match=message):
        FolderReID(str(divided), **{'pid_from': 'folder'} | options)


def test_query_cannot_be_told_from_gallery(tmp_path, write_images):
    write_images(tmp_path, ['a/1.jpg'])
    with pytest.raises(ValueError, match="split='test' needs to know query from gallery"):
        FolderReID(str(tmp_path), 'test', pid_from='folder')


def test_images_are_loaded(tmp_path, write_images):
    write_images(tmp_path, ['Jörg K/1 1.jpg'])
    config = {'type': 'FolderReID', 'data_root': str(tmp_path), 'pid_from': 'folder'}
    dataset = DATASETS.build(config | {'pipeline': [{'type': 'LoadPersonImage'}]})
    assert dataset[0]['img'].shape == (8, 4, 3)
