import copy
import os
import pickle
import threading

import numpy as np
import pytest

from passreid.datasets.storage import name_table
from passreid.datasets.storage.name_table import NameTable, cache_folder, cached_names

NAMES = ['b/1.jpg', 'ä ü/名.jpg', os.fsdecode(b'latin-\xe4.jpg'), 'c.png', 'b/0.jpg']


@pytest.fixture
def table(tmp_path):
    prefix = str(tmp_path / 'table')
    assert NameTable.write(prefix, iter(NAMES)) == 5
    return NameTable(prefix)


def test_names_come_back(table):
    assert list(table) == NAMES
    assert table[-1] == NAMES[-1]
    assert table[np.int64(1)] == NAMES[1]
    assert list(table[1:4]) == NAMES[1:4]
    assert list(table[-2:]) == NAMES[-2:]
    for index in (5, -6):
        with pytest.raises(IndexError):
            table[index]


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_map_the_same_files(table, copied):
    twin = copied(table[1:])
    assert list(twin) == NAMES[1:]
    assert isinstance(twin._blob, np.memmap)


def test_a_pickle_does_not_hold_the_names(tmp_path, monkeypatch, log):
    monkeypatch.setattr(name_table, '_PROGRESS_EVERY', 4_000)
    prefix = str(tmp_path / 'many')
    NameTable.write(prefix, (f'{number:08d}.jpg' for number in range(10_000)))
    assert len(pickle.dumps(NameTable(prefix))) < 1000
    assert '8000 images found so far' in log()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a.jpg b.jpg')
    return path


class Reader:
    """Reads names from a file and counts how often."""

    def __init__(self):
        self.reads = 0

    def __call__(self, path):
        self.reads += 1
        with open(path) as file:
            return iter(file.read().split())


@pytest.fixture
def reader():
    return Reader()


def test_second_load_reads_the_cache(source, reader, log):
    for _ in range(2):
        assert list(cached_names(str(source), reader)) == ['a.jpg', 'b.jpg']
    assert reader.reads == 1
    assert f'2 images listed; their names are kept in {cache_folder(source)}' in log()
    assert os.listdir(source.parent) == ['list.txt']


def test_change_is_noticed_and_old_tables_go(source, reader):
    old = cached_names(str(source), reader)
    source.write_text('c.jpg')
    assert list(cached_names(str(source), reader)) == ['c.jpg']
    assert len(list(cache_folder(source).glob('*.npy'))) == 2
    # Whoever still holds the old table is not disturbed.
    assert list(old) == ['a.jpg', 'b.jpg']


@pytest.mark.parametrize(
    'change',
    [
        lambda root: (root / 'a' / 'deep' / 'new.jpg').touch(),
        lambda root: (root / 'b' / '1.jpg').unlink(),
        lambda root: (root / 'b' / '1.jpg').rename(root / 'b' / '9.jpg'),
        lambda root: (root / 'a' / 'new').mkdir(),
        lambda root: (root / 'b').rename(root / 'z'),
    ],
    ids=['added', 'removed', 'renamed', 'folder added', 'folder renamed'],
)
def test_changes_of_a_folder_are_noticed(tmp_path, write_images, change):
    root = write_images(tmp_path / 'data', ['a/deep/1.jpg', 'b/1.jpg', 'c.jpg'])
    for folder in ('', 'a', 'a/deep', 'b'):
        os.utime(root / folder, ns=(1, 1))
    before = cached_names(str(root))
    assert cached_names(str(root)).prefix == before.prefix
    change(root)
    assert cached_names(str(root)).prefix != before.prefix


@pytest.mark.parametrize('damage', [lambda file: file.unlink(), lambda file: file.write_text('[]')])
@pytest.mark.parametrize('part', ['*.names.npy', 'names.json'])
def test_damaged_cache_is_made_anew(source, reader, damage, part):
    cached_names(str(source), reader)
    damage(next(cache_folder(source).glob(part)))
    assert list(cached_names(str(source), reader)) == ['a.jpg', 'b.jpg']
    assert reader.reads == 2


@pytest.mark.parametrize('problem', [KeyboardInterrupt, OSError(28, 'No space left on device')])
def test_interruption_leaves_the_old_list(source, reader, problem, monkeypatch):
    cached_names(str(source), reader)
    text, time = source.read_text(), source.stat().st_mtime_ns
    source.write_text('c.jpg')
    monkeypatch.setattr(np, 'save', lambda *args: (_ for _ in ()).throw(problem))
    with pytest.raises(type(problem) if isinstance(problem, OSError) else problem):
        cached_names(str(source), reader)
    monkeypatch.undo()
    source.write_text(text)
    os.utime(source, ns=(time, time))
    assert list(cached_names(str(source), lambda path: pytest.fail('read'))) == ['a.jpg', 'b.jpg']


def test_no_names_is_an_error(source):
    with pytest.raises(ValueError, match=f'no images found in {source}'):
        cached_names(str(source), lambda path: [])


@pytest.mark.parametrize('rescan', [False, True])
def test_one_of_many_does_the_work(source, reader, rescan):
    reading, everyone_waits = threading.Event(), threading.Event()

    def slow(path):
        reading.set()
        everyone_waits.wait(10)
        return reader(path)

    tables = []
    threads = [
        threading.Thread(
            target=lambda: tables.append(list(cached_names(str(source), slow, rescan)))
        )
        for _ in range(4)
    ]
    threads[0].start()
    reading.wait(10)
    for thread in threads[1:]:
        thread.start()
    # The others ask before the list is finished.
    threading.Timer(0.3, everyone_waits.set).start()
    for thread in threads:
        thread.join()
    assert tables == [['a.jpg', 'b.jpg']] * 4
    assert reader.reads == 1
