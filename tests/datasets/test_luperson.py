import os
import pickle

import lmdb
import numpy as np
import pytest
from torch.utils.data import DataLoader

from passreid.datasets import CrossCameraIdentitySampler, LUPerson
from passreid.datasets.storage.bad_images import BadImageError
from passreid.datasets.storage.name_table import NameTable
from passreid.registry import DATASETS

LOAD = {'type': 'LoadPersonImage'}
KEYS = [f'01_02_0003_{number:08d}' for number in range(4)]
KEYS_AS_FILES = [f'{key}.jpg' for key in KEYS]


@pytest.fixture
def nested(tmp_path, write_images):
    return write_images(tmp_path / 'data', ['b/1.jpg', 'a/2.jpg', 'c.jpg'])


@pytest.fixture
def distributed(tmp_path, write_images):
    """LUPerson as it is distributed; the image of key n has the grey value 10 + n."""
    write_images(tmp_path / 'images', KEYS_AS_FILES)
    root = tmp_path / 'LUP'
    (root / 'lmdb').mkdir(parents=True)
    with (
        lmdb.open(str(root / 'lmdb'), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, name in zip(KEYS, KEYS_AS_FILES, strict=True):
            transaction.put(key.encode(), (tmp_path / 'images' / name).read_bytes())
    (root / 'keys.pkl').write_bytes(pickle.dumps({'keys': KEYS, 'pids': [0, 0, 1, 1]}))
    return root


def values(dataset):
    return [int(dataset[idx]['img'][0, 0, 0]) for idx in range(len(dataset))]


def names(dataset):
    paths = (dataset[idx]['img_path'] for idx in range(len(dataset)))
    return [os.path.relpath(path, dataset.data_root) for path in paths]


def test_flat_folder(tmp_path, write_images):
    dataset = LUPerson(str(write_images(tmp_path, ['b.jpg', 'a.jpg', 'c.jpg'])), pipeline=[LOAD])
    assert names(dataset) == ['a.jpg', 'b.jpg', 'c.jpg']
    assert values(dataset) == [11, 10, 12]


def test_nested_folders(nested):
    dataset = LUPerson(str(nested), pipeline=[LOAD])
    assert names(dataset) == ['a/2.jpg', 'b/1.jpg', 'c.jpg']
    assert values(dataset) == [11, 10, 12]


def test_sample_fields(nested):
    assert LUPerson(str(nested))[1] == {
        'img_path': str(nested / 'b' / '1.jpg'),
        'gt_label': -1,
        'cam_id': -1,
        'is_query': False,
        'sample_idx': 1,
    }


def test_ann_file(nested):
    (nested / 'list.txt').write_text('c.jpg\r\nb/1.jpg\r\n')
    dataset = LUPerson(str(nested), 'list.txt', pipeline=[LOAD])
    assert names(dataset) == ['c.jpg', 'b/1.jpg']
    assert values(dataset) == [12, 10]


def test_ann_file_elsewhere(nested, tmp_path):
    elsewhere = tmp_path / 'other' / 'list.txt'
    elsewhere.parent.mkdir()
    elsewhere.write_text('a/2.jpg')
    assert names(LUPerson(str(nested), str(elsewhere))) == ['a/2.jpg']


def test_changed_ann_file_is_noticed(nested):
    (nested / 'list.txt').write_text('c.jpg')
    assert len(LUPerson(str(nested), 'list.txt')) == 1
    (nested / 'list.txt').write_text('c.jpg\na/2.jpg')
    assert names(LUPerson(str(nested), 'list.txt')) == ['c.jpg', 'a/2.jpg']


def test_path_out_of_the_root_is_refused(nested):
    (nested / 'list.txt').write_text('a/2.jpg\n../../secret.jpg\n')
    for _ in range(2):
        with pytest.raises(ValueError, match='line 2 of .*leaves the data root'):
            LUPerson(str(nested), 'list.txt')


@pytest.mark.parametrize('num_workers', [0, 2])
def test_lmdb(distributed, num_workers):
    dataset = LUPerson(str(distributed), pipeline=[LOAD])
    # Opened here first, then in forked workers.
    assert dataset[0]['img_path'] == KEYS[0]
    loader = DataLoader(dataset, 1, num_workers=num_workers, collate_fn=list)
    samples = [batch[0] for batch in loader]
    assert [sample['img_path'] for sample in samples] == KEYS
    assert [int(sample['img'][0, 0, 0]) for sample in samples] == [10, 11, 12, 13]


@pytest.mark.parametrize('place', ['lmdb/keys.pkl', 'beside'])
def test_lmdb_layouts(distributed, place):
    root = distributed
    (distributed / 'keys.pkl').rename(distributed / 'lmdb' / 'keys.pkl')
    if place == 'beside':
        root = distributed / 'lmdb'
    assert values(LUPerson(str(root), pipeline=[LOAD])) == [10, 11, 12, 13]


def test_two_data_sets_share_an_lmdb(distributed):
    first, second = (LUPerson(str(distributed), pipeline=[LOAD]) for _ in range(2))
    assert values(first) == values(second) == [10, 11, 12, 13]


def test_missing_key_is_a_bad_image(distributed):
    (distributed / 'keys.pkl').write_bytes(pickle.dumps([*KEYS, 'lost']))
    dataset = LUPerson(str(distributed), pipeline=[LOAD], max_bad_share=1)
    assert dataset[4]['img_path'] in KEYS
    assert dataset.bad_image_summary()['names'] == ['lost']
    with pytest.raises(BadImageError, match='bad image lost: .*lmdb has no such key'):
        LUPerson(str(distributed), pipeline=[LOAD], test_mode=True)[4]


def test_malicious_keys_are_refused(distributed, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'trap'),)

    (distributed / 'keys.pkl').write_bytes(pickle.dumps([Trap()]))
    with pytest.raises(ValueError, match='wants to import posix.mkdir'):
        LUPerson(str(distributed))
    assert not (tmp_path / 'trap').exists()


def test_missing_keys_file(distributed):
    (distributed / 'keys.pkl').unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks its key list .*keys\.pkl'):
        LUPerson(str(distributed))


@pytest.fixture
def scanned(monkeypatch):
    """Folders that were listed, in order."""
    folders = []
    scandir = os.scandir

    def record(path):
        if '.passreid_cache' not in str(path):
            folders.append(path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', record)
    return folders


def test_folder_is_scanned_once(nested, scanned):
    LUPerson(str(nested))
    assert len(scanned) == 3
    assert names(LUPerson(str(nested))) == ['a/2.jpg', 'b/1.jpg', 'c.jpg']
    assert len(scanned) == 3
    LUPerson(str(nested), rescan=True)
    assert len(scanned) == 6


def test_stale_cache_is_noticed(nested, scanned, write_images):
    for folder in ('a', 'b'):
        os.utime(nested / folder, ns=(1, 1))
    LUPerson(str(nested))
    write_images(nested, ['a/new.jpg'])
    assert 'a/new.jpg' in names(LUPerson(str(nested)))
    assert len(scanned) == 6


def test_rescan_finds_what_the_times_hide(nested):
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
    assert names(LUPerson(str(nested), indices=-1)) == ['c.jpg']
    for kwargs in ({'max_images': 0}, {'max_images': 1, 'indices': [0]}):
        with pytest.raises(ValueError, match='max_images must be at least 1'):
            LUPerson(str(nested), **kwargs)


def test_subsets(nested):
    dataset = LUPerson(str(nested))
    subset = dataset.get_subset([2, 1])
    assert names(subset) == ['c.jpg', 'b/1.jpg']
    assert subset[0]['sample_idx'] == 0
    assert len(dataset) == 3
    dataset.get_subset_(1)
    assert names(dataset) == ['a/2.jpg']


def test_nothing_found(tmp_path):
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(ValueError, match=f'no images found in {tmp_path}'):
        LUPerson(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'there is no folder .*none.*lmdb/ and keys\.pkl'):
        LUPerson(str(tmp_path / 'none'))
    with pytest.raises(FileNotFoundError, match=r'list\.txt'):
        LUPerson(str(tmp_path), 'list.txt')


def test_millions_of_names_are_no_objects(tmp_path, nested):
    dataset = LUPerson(str(nested))
    prefix = str(tmp_path / 'many')
    NameTable.write(prefix, (f'{number:06d}.jpg' for number in range(50_000)))
    dataset.data_list = NameTable(prefix)
    assert len(dataset) == 50_000
    assert dataset.get_data_info(49_999)['img_path'].endswith('049999.jpg')
    assert len(pickle.dumps(dataset)) < 10_000
    assert isinstance(dataset.data_list._blob, np.memmap)


def test_people_and_cameras_are_unknown(nested):
    dataset = LUPerson(str(nested), indices=[2, 0], lazy_init=True)
    for column, field in ((dataset.pids, 'gt_label'), (dataset.cam_ids, 'cam_id')):
        assert column.dtype == np.int64
        assert column.tolist() == [dataset[idx][field] for idx in range(2)] == [-1, -1]


def test_batches_of_clusters_without_cameras(tmp_path, write_images):
    root = write_images(tmp_path / 'data', [f'{number:02d}.jpg' for number in range(12)])
    dataset = LUPerson(str(root))
    sampler = CrossCameraIdentitySampler(dataset, 8, 4, iterations=5, seed=0)
    with pytest.raises(ValueError, match='no image has a label'):
        next(iter(sampler))
    labels = np.array([0] * 5 + [1] * 4 + [2] * 2 + [-1])
    sampler.set_labels(labels)
    groups = np.array(list(sampler)).reshape(-1, 4)
    drawn = labels[groups]
    assert (drawn == drawn[:, :1]).all()
    assert set(drawn[:, 0].tolist()) == {0, 1, 2}
    # One camera for all: as many different images as the cluster has.
    for group, cluster in zip(groups.tolist(), drawn[:, 0].tolist(), strict=True):
        assert len(set(group)) == {0: 4, 1: 4, 2: 2}[cluster]


def test_registered(nested):
    dataset = DATASETS.build({'type': 'LUPerson', 'data_root': str(nested), 'pipeline': [LOAD]})
    assert len(dataset) == 3


def test_cached_name_out_of_the_root_is_a_bad_image(nested):
    LUPerson(str(nested))
    prefix = str(next((nested / '.passreid_cache').glob('*.ends.npy')))[: -len('.ends.npy')]
    NameTable.write(prefix, ['c.jpg', '../secret.jpg', '/secret.jpg'])
    dataset = LUPerson(str(nested), pipeline=[LOAD], test_mode=True)
    assert dataset[0]['img_path'] == str(nested / 'c.jpg')
    for idx in (1, 2):
        with pytest.raises(BadImageError, match=f'secret.jpg: leaves {nested}'):
            dataset[idx]
