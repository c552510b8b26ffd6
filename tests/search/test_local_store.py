"""Galleries in folders: what reaches the disk, crashes, and several processes."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from random_galleries import DIM, MODEL, random_features, records

from passreid.search import GalleryRecord, MemoryStore, StaleGalleryError, gallery_folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / 'gallery'


def open_gallery(folder, dim=DIM, model=MODEL):
    return MemoryStore(dim, model, folder, 'cpu')


def fill(folder, number=20, start=0):
    store = open_gallery(folder)
    store.add(random_features(number, seed=start), records(number, start))
    return store


def parts(folder):
    return sorted(path.name for path in folder.glob('part-*'))


def test_nothing_is_written_before_flush(folder):
    store = fill(folder)
    assert {path.name for path in folder.iterdir()} <= {'gallery.lock'}
    store.flush()
    assert parts(folder) == ['part-000001']
    assert (folder / 'gallery.json').is_file()


def test_opening_and_closing_leaves_nothing(folder):
    with open_gallery(folder):
        pass
    assert not folder.exists()


def test_features_have_length_one_and_are_memory_mapped(folder):
    fill(folder).flush()
    features = np.load(folder / 'part-000001' / 'features.npy', allow_pickle=False)
    assert features.dtype == np.float32 and features.shape == (20, DIM)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)
    again = open_gallery(folder)
    assert all(isinstance(block, np.memmap) for block in again._blocks)
    # Nothing is left to be written by the first one either.
    assert len(again._tail) == 0


def test_context_flushes(folder):
    with fill(folder):
        pass
    assert len(open_gallery(folder)) == 20


def test_what_was_added_is_written_beside_the_rest(folder):
    store = fill(folder, 100)
    store.flush()
    first = os.stat(folder / 'part-000001' / 'features.npy')
    for start in range(100, 164, 8):
        store.add(random_features(8, seed=start), records(8, start))
        store.flush()
        assert len(parts(folder)) <= 4
    # Of eight little parts one has been made; the large one was not touched.
    assert parts(folder)[0] == 'part-000001' and len(parts(folder)) == 2
    now = os.stat(folder / 'part-000001' / 'features.npy')
    assert (now.st_ino, now.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    again = open_gallery(folder)
    query = random_features(2, seed=9)
    assert len(again) == 164 and again.search(query, 164) == store.search(query, 164)


@pytest.mark.parametrize('change', ['delete', 'update'])
def test_deleted_features_leave_the_disk(folder, change):
    store = fill(folder)
    store.flush()
    gone = np.load(folder / 'part-000001' / 'features.npy')[3]
    if change == 'delete':
        store.delete(['0003.jpg'])
    else:
        store.update(random_features(1, seed=8), [GalleryRecord('0003.jpg')])
    store.flush()
    assert parts(folder) == ['part-000002']
    assert gone.tobytes() not in (folder / 'part-000002' / 'features.npy').read_bytes()
    assert len(open_gallery(folder)) == (19 if change == 'delete' else 20)


def test_deleted_images_leave_the_memory():
    store = MemoryStore(DIM, MODEL, device='cpu')
    store.add(random_features(20), records(20))
    store.delete(record.path for record in records(11))
    assert len(store._records) == len(store._tail) == len(store) == 9
    assert [m.record for m in store.search(random_features(20)[15:16], 1)[0]] == [records(20)[15]]


def test_gallery_that_lost_all_images(folder):
    store = fill(folder)
    store.flush()
    store.delete(store.stamps())
    store.flush()
    again = open_gallery(folder)
    assert len(again) == 0 and again.search(random_features(1)) == [[]] and parts(folder) == []


def test_reader_keeps_what_it_has_opened(folder):
    fill(folder).flush()
    reader, writer = open_gallery(folder), open_gallery(folder)
    query = random_features(1, seed=3)
    before = reader.search(query, 30)
    writer.delete(['0001.jpg', '0002.jpg'])
    writer.flush()
    assert reader.search(query, 30) == before and len(writer) == 18
    # A change starts from what was written last.
    reader.add(random_features(1), [GalleryRecord('new.jpg')])
    assert len(reader) == 19 and '0001.jpg' not in reader.stamps()


def test_one_process_at_a_time_writes(folder, monkeypatch):
    monkeypatch.setattr(gallery_folder, '_LOCK_SECONDS', 0.1)
    first, second = fill(folder), open_gallery(folder)
    with pytest.raises(TimeoutError, match='gallery is being changed by another process or store'):
        second.add(random_features(1), [GalleryRecord('new.jpg')])
    first.flush()
    second.add(random_features(1), [GalleryRecord('new.jpg')])
    second.flush()
    assert len(open_gallery(folder)) == 21


def test_refused_change_lets_others_write(folder, monkeypatch):
    monkeypatch.setattr(gallery_folder, '_LOCK_SECONDS', 0.1)
    store = fill(folder)
    store.flush()
    with pytest.raises(ValueError, match='already'):
        store.add(random_features(1), records(1))
    open_gallery(folder).delete(['0000.jpg'])


def flush_in_child(folder, call, survived):
    """Change a gallery in another process, which dies at a call of ``os``; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        store = open_gallery(folder)
        store.update(random_features(5, seed=4), records(5, 18))
        function, left = getattr(os, call), itertools.count(survived, -1)
        setattr(os, call, lambda *a, **k: function(*a, **k) if next(left) > 0 else os._exit(7))
        store.flush()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize('call', ['fsync', 'rename', 'replace', 'unlink', 'mkdir'])
def test_crash_leaves_the_old_gallery_or_the_new_one(folder, call):
    """The process dies at each of the calls that matter; a later one goes on as if nothing was."""
    store = fill(folder)
    store.flush()
    query = random_features(2, seed=5)
    old = store.search(query, 30)
    store.update(random_features(5, seed=4), records(5, 18))
    new = store.search(query, 30)
    store._folder.unlock()
    outcomes, codes = [], []
    while not outcomes or not outcomes[-1]:
        codes.append(flush_in_child(folder, call, len(codes)))
        found = open_gallery(folder).search(query, 30)
        assert found in (old, new)
        outcomes.append(found == new)
    assert set(codes[:-1]) <= {7} and codes[-1] in (0, 7)
    assert len(codes) > 1 or call == 'unlink'
    again = open_gallery(folder)
    again.delete(['0000.jpg'])
    again.flush()
    state = open_gallery(folder)._state
    assert {path.name for path in folder.iterdir()} == {
        'gallery.json',
        'gallery.lock',
        *state.parts,
    }


@pytest.mark.parametrize('change', ['delete', 'add'])
def test_failed_write_can_be_repeated(folder, change, monkeypatch):
    store = fill(folder)
    store.flush()
    if change == 'delete':
        store.delete(['0000.jpg', '0004.jpg'])
    else:
        store.add(random_features(3, seed=4), records(3, 50))
    query = random_features(2, seed=5)
    expected = store.search(query, 30)

    def full(*args):
        raise OSError('no space left')

    monkeypatch.setattr(gallery_folder.RecordTable, 'save', full)
    with pytest.raises(OSError, match='no space left'):
        store.flush()
    assert store.search(query, 30) == expected and len(open_gallery(folder)) == 20
    monkeypatch.undo()
    store.flush()
    assert store.search(query, 30) == open_gallery(folder).search(query, 30) == expected


def test_part_that_vanishes_while_it_is_opened(folder, monkeypatch):
    fill(folder).flush()
    opened = gallery_folder.GalleryFolder.open_part

    def overtaken(self, name, dim):
        monkeypatch.undo()
        with MemoryStore(folder=folder, device='cpu') as writer:
            writer.delete(['0000.jpg'])
        return opened(self, name, dim)

    monkeypatch.setattr(gallery_folder.GalleryFolder, 'open_part', overtaken)
    assert len(open_gallery(folder)) == 19


def test_gallery_that_another_model_has_taken_over(folder):
    fill(folder).flush()
    store = open_gallery(folder)
    for path in sorted(folder.rglob('*'), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with open_gallery(folder, model='model-2') as other:
        other.add(random_features(1), records(1))
    with pytest.raises(StaleGalleryError, match='model-2 there, but model-1 here'):
        store.delete(['0000.jpg'])


@pytest.mark.slow
def test_opening_a_large_gallery_takes_little_memory(folder):
    number, dim = 20_000, 512
    with MemoryStore(dim, MODEL, folder, 'cpu') as store:
        store.add(random_features(number, dim), records(number))
    code = (
        'import sys\n'
        'from passreid.search import MemoryStore\n'
        'def used():\n'
        '    lines = open("/proc/self/status").read().splitlines()\n'
        '    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])\n'
        'before = used()\n'
        'store = MemoryStore(folder=sys.argv[1], device="cpu")\n'
        'print(used() - before, len(store))\n'
    )
    command = [sys.executable, '-c', code, str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kibibytes, length = map(int, output.split())
    assert length == number
    # The features alone are 40,000 KiB.
    assert kibibytes < 8000
