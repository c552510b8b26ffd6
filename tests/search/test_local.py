"""Galleries in folders: what reaches the disk, crashes, and several processes."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from random_galleries import DIM, MODEL, random_features, records

from passreid.search import GalleryRecord, LocalStore, SearchFilter, local


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'gallery'


@pytest.fixture
def store(folder):
    with LocalStore(DIM, MODEL, folder, 'cpu') as opened:
        opened.add(random_features(20), records(20))
        yield opened


def features(folder):
    return np.fromfile(folder / 'features.f32', np.float32).reshape(-1, DIM)


@pytest.mark.parametrize('change', ['delete', 'update'])
def test_deleted_images_leave_the_disk(store, folder, change):
    gone = features(folder)[3]
    if change == 'delete':
        assert store.delete(['0003.jpg', '0018.jpg']) == 2
        assert b'0003.jpg' not in (folder / 'records.sqlite').read_bytes()
    else:
        store.update(random_features(1, seed=8), [GalleryRecord('0003.jpg')])
    assert gone.tobytes() not in (folder / 'features.f32').read_bytes()
    # Their places are used again.
    store.add(random_features(2, seed=9), records(2, 40))
    assert len(features(folder)) == (20 if change == 'delete' else 22)


def test_others_see_each_change(store, folder):
    query = random_features(1, seed=3)
    with LocalStore(folder=folder, device='cpu') as reader:
        assert reader.search(query, 30) == store.search(query, 30)
        store.delete(['0001.jpg', '0002.jpg'])
        store.add(random_features(1, seed=4), [GalleryRecord('new.jpg')])
        assert reader.search(query, 30) == store.search(query, 30)
        reader.update(random_features(1), [GalleryRecord('0001.jpg')])
        assert reader.search(query, 30) == store.search(query, 30) and len(store) == 20


def test_one_process_at_a_time_writes(store, folder, monkeypatch):
    monkeypatch.setattr(local, '_TIMEOUT', 0.1)
    with LocalStore(folder=folder, device='cpu') as other, store._transaction('immediate'):
        assert len(other.search(random_features(1), 30)[0]) == 20
        with pytest.raises(OSError, match=f'{folder}.*locked'):
            other.add(random_features(1), [GalleryRecord('new.jpg')])


def change_in_child(folder, survived):
    """Change a gallery in another process, which dies at a call of fsync; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        store = LocalStore(folder=folder, device='cpu')
        fsync, left = os.fsync, itertools.count(survived, -1)
        os.fsync = lambda file: fsync(file) if next(left) > 0 else os._exit(7)
        store.update(random_features(5, seed=4), records(5, 18))
        os._exit(0)
    finally:
        os._exit(1)


def test_crash_leaves_the_old_gallery_or_the_new_one(folder):
    """The process dies before the features are on the disk, and before the old ones are zeroed."""
    query = random_features(2, seed=5)
    with LocalStore(DIM, MODEL, folder, 'cpu') as store:
        store.add(random_features(20), records(20))
        old = store.search(query, 30)
    with LocalStore(DIM, MODEL, device='cpu') as other:
        other.add(random_features(20), records(20))
        other.update(random_features(5, seed=4), records(5, 18))
        new = other.search(query, 30)
    for survived, code, expected in ((0, 7, old), (1, 7, new), (2, 0, new)):
        assert change_in_child(folder, survived) == code
        with LocalStore(folder=folder, device='cpu') as again:
            assert again.search(query, 30) == expected


def test_failed_write_changes_nothing(store, folder, monkeypatch):
    query = random_features(2, seed=5)
    expected = store.search(query, 30)

    def full(descriptor):
        raise OSError('no space left')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='no space left'):
        store.update(random_features(3, seed=4), records(3, 10))
    monkeypatch.undo()
    assert store.search(query, 30) == expected
    store.update(random_features(3, seed=4), records(3, 10))
    assert store.search(query, 30) != expected and len(store) == 20


def test_other_folders_and_files_are_refused(tmp_path):
    (tmp_path / 'crop.jpg').touch()
    with pytest.raises(ValueError, match=r'no gallery.*crop\.jpg'):
        LocalStore(DIM, MODEL, tmp_path)


@pytest.mark.parametrize('name', ['records.sqlite', 'features.f32'])
def test_damaged_files_are_named(store, folder, name):
    store.close()
    (folder / name).write_bytes((folder / name).read_bytes()[:100] + b'x')
    with pytest.raises(ValueError, match=f'{folder}.*damaged'):
        LocalStore(folder=folder, device='cpu').search(random_features(1))


def test_chunks_make_no_difference(store, monkeypatch):
    queries = random_features(9, seed=1)
    where = [None, SearchFilter(not_cameras=[1], not_paths=['0001.jpg']), SearchFilter(since=9)] * 3
    expected = store.search(queries, 7, where)
    monkeypatch.setattr(local, '_MASKS', 1)
    for products in (1, 45, 80):
        monkeypatch.setattr(local, '_PRODUCTS', products)
        assert store.search(queries, 7, where) == expected


def test_equal_images_are_equal_wherever_a_product_rounds_them_differently():
    with LocalStore(67, MODEL, device='cpu') as store:
        known = [GalleryRecord(f'{place:03}') for place in range(501)]
        store.add(np.repeat(random_features(1, 67), 501, axis=0), known)
        for queries in (random_features(1, 67, seed=5), random_features(9, 67, seed=5)):
            for matches in store.search(queries, 20):
                assert [match.record for match in matches] == known[:20]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an accelerator')
def test_accelerator_finds_the_same(store):
    queries = random_features(9, seed=7)
    where = [None, SearchFilter(not_cameras=[1]), SearchFilter(since=2)] * 3
    with LocalStore(DIM, MODEL, device='cuda') as other:
        other.add(random_features(20), records(20))
        assert other.search(queries, 9, where) == store.search(queries, 9, where)


def test_opening_a_large_gallery_takes_little_memory(folder):
    with LocalStore(256, MODEL, folder, 'cpu') as store:
        store.add(random_features(20_000, 256), records(20_000))

    def used():
        lines = Path('/proc/self/status').read_text().splitlines()
        return int(next(line for line in lines if line.startswith('VmRSS')).split()[1])

    before = used()
    with LocalStore(folder=folder, device='cpu') as store:
        # The features alone are 20,000 KiB.
        assert len(store) == 20_000 and used() - before < 8000
