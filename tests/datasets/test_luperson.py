import os
import pickle
import shutil

import lmdb
import numpy as np
import pytest
from torch.utils.data import DataLoader

from passreid.datasets import LUPerson
from passreid.datasets.folder_reid import parse_id

LOAD = {'type': 'LoadPersonImage'}
KEYS = [f'01_02_0003_{number:08d}' for number in range(4)]


@pytest.fixture
def nested(tmp_path, write_images):
    return write_images(tmp_path / 'data', ['b/1.jpg', 'a/2.jpg', 'c.jpg'])


@pytest.fixture
def distributed(tmp_path, write_images):
    """LUPerson as it is distributed; the image of key n has the grey value 10 + n."""
    write_images(tmp_path / 'images', [f'{key}.jpg' for key in KEYS])
    root = tmp_path / 'LUP'
    (root / 'lmdb').mkdir(parents=True)
    with (
        lmdb.open(str(root / 'lmdb'), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in KEYS:
            transaction.put(key.encode(), (tmp_path / 'images' / f'{key}.jpg').read_bytes())
    (root / 'keys.pkl').write_bytes(pickle.dumps({'keys': KEYS, 'pids': [0, 0, 1, 1]}))
    return root


def values(dataset):
    return [int(dataset[idx]['img'][0, 0, 0]) for idx in range(len(dataset))]


def names(dataset):
    paths = (dataset[idx]['img_path'] for idx in range(len(dataset)))
    return [os.path.relpath(path, dataset.data_root) for path in paths]


def test_folder(nested):
    before = sorted(nested.rglob('*'))
    dataset = LUPerson(str(nested), pipeline=[LOAD])
    assert names(dataset) == ['a/2.jpg', 'b/1.jpg', 'c.jpg']
    assert values(dataset) == [11, 10, 12]
    fields = dict(gt_label=-1, cam_id=-1, is_query=False, sample_idx=1)
    assert LUPerson(str(nested))[1] == dict(img_path=str(nested / 'b' / '1.jpg'), **fields)
    for column in (dataset.pids, dataset.cam_ids):
        assert (column.dtype, column.tolist()) == (np.int64, [-1] * 3)
    # The folder may be read-only.
    assert sorted(nested.rglob('*')) == before


def test_ann_file(nested, tmp_path):
    (nested / 'list.txt').write_text('c.jpg\r\nb/1.jpg\r\n')
    dataset = LUPerson(str(nested), 'list.txt', pipeline=[LOAD])
    assert names(dataset) == ['c.jpg', 'b/1.jpg']
    assert values(dataset) == [12, 10]
    (tmp_path / 'elsewhere.txt').write_text('a/2.jpg')
    assert names(LUPerson(str(nested), str(tmp_path / 'elsewhere.txt'))) == ['a/2.jpg']


def test_lmdb(distributed):
    dataset = LUPerson(str(distributed), pipeline=[LOAD])
    # Opened here first, then in forked workers.
    assert dataset[0]['img_path'] == KEYS[0]
    loader = DataLoader(dataset, 1, num_workers=2, collate_fn=list)
    samples = [batch[0] for batch in loader]
    assert [sample['img_path'] for sample in samples] == KEYS
    assert [int(sample['img'][0, 0, 0]) for sample in samples] == values(dataset)
    # A file that was not copied to its end.
    copy = shutil.copytree(distributed, distributed.parent / 'copy')
    os.truncate(copy / 'lmdb' / 'data.mdb', (copy / 'lmdb' / 'data.mdb').stat().st_size - 1)
    with pytest.raises(ValueError, match=r'data\.mdb'):
        LUPerson(str(copy))[0]


def test_moved_and_missing_parts(distributed, tmp_path):
    (distributed / 'keys.pkl').rename(distributed / 'lmdb' / 'keys.pkl')
    for root in (distributed, distributed / 'lmdb'):
        assert values(LUPerson(str(root), pipeline=[LOAD])) == [10, 11, 12, 13]
    (distributed / 'lmdb' / 'keys.pkl').unlink()
    with pytest.raises(FileNotFoundError, match=r'keys\.pkl'):
        LUPerson(str(distributed))
    with pytest.raises(FileNotFoundError, match=r'none.*lmdb/ and keys\.pkl'):
        LUPerson(str(tmp_path / 'none'))
    with pytest.raises(FileNotFoundError, match=r'list\.txt'):
        LUPerson(str(tmp_path), 'list.txt')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match=f'no images found in {tmp_path}/empty'):
        LUPerson(str(tmp_path / 'empty'))


def test_rescan_finds_what_times_hide(nested):
    os.utime(nested / 'a', ns=(1, 1))
    LUPerson(str(nested))
    (nested / 'a' / '2.jpg').rename(nested / 'a' / '3.jpg')
    os.utime(nested / 'a', ns=(1, 1))
    assert names(LUPerson(str(nested)))[0] == 'a/2.jpg'
    assert names(LUPerson(str(nested), rescan=True))[0] == 'a/3.jpg'


def test_max_images_and_indices(nested):
    assert names(LUPerson(str(nested), max_images=2)) == ['a/2.jpg', 'b/1.jpg']
    assert len(LUPerson(str(nested), max_images=100)) == 3
    assert names(LUPerson(str(nested), indices=[2, 0])) == ['c.jpg', 'a/2.jpg']
    with pytest.raises(ValueError, match='max_images'):
        LUPerson(str(nested), max_images=0)


@pytest.mark.parametrize(
    'pattern, expected',
    [(None, [-1, -1]), (r'(?P<camera>\d+)\.jpg', [2, 1]), ('^(?P<camera>[^/]+)/', None)],
)
def test_cameras_of_names_and_folders(tmp_path, write_images, pattern, expected):
    root = write_images(tmp_path / 'data', ['b/1.jpg', 'a/2.jpg'])
    dataset = LUPerson(root, camera_pattern=pattern)
    cameras = dataset.cam_ids.tolist()
    assert cameras == (expected or [parse_id('a'), parse_id('b')])
    assert [dataset.get_data_info(idx)['cam_id'] for idx in range(2)] == cameras


def test_cameras_that_are_not_found(nested):
    with pytest.raises(ValueError, match=r'c\.jpg does not match camera_pattern'):
        print(LUPerson(nested, camera_pattern='^(?P<camera>[^/]+)/').cam_ids)
    with pytest.raises(ValueError, match='does not match camera_pattern'):
        print(LUPerson(nested, camera_pattern=r'(x(?P<camera>\d))?').cam_ids)
    for pattern in ('(', r'_c(\d)', ['a']):
        with pytest.raises(ValueError, match='camera_pattern'):
            LUPerson(nested, camera_pattern=pattern)
