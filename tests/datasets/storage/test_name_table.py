import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from passreid.datasets.storage.name_table import NameTable, cache_folder, cached_names

NAMES = ['b/1.jpg', 'ä ü/名.jpg', os.fsdecode(b'latin-\xe4.jpg'), 'c.png', 'b/0.jpg']


def test_names_come_back(tmp_path):
    prefix = str(tmp_path / 'table')
    assert NameTable.write(prefix, iter(NAMES)) == 5
    table = NameTable(prefix)
    assert list(table) == NAMES
    assert table[-1] == NAMES[-1] and table[np.int64(1)] == NAMES[1]
    assert list(table[1:4]) == NAMES[1:4] and list(table[-2:]) == NAMES[-2:]
    twin = pickle.loads(pickle.dumps(table[1:]))
    assert list(twin) == NAMES[1:]
    assert isinstance(twin._blob, np.memmap)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a.jpg b.jpg')
    return path


@pytest.fixture
def reader():
    """Reads names from a file."""
    return Mock(side_effect=lambda path: Path(path).read_text().split())


def test_second_load_reads_the_cache_until_the_source_changes(source, reader):
    for _ in range(2):
        old = cached_names(str(source), reader)
        assert list(old) == ['a.jpg', 'b.jpg']
    assert reader.call_count == 1
    assert os.listdir(source.parent) == ['list.txt']
    source.write_text('c.jpg')
    assert list(cached_names(str(source), reader)) == ['c.jpg']
    assert len(list(cache_folder(source).glob('*.npy'))) == 2
    # Whoever still holds the old table is not disturbed.
    assert list(old) == ['a.jpg', 'b.jpg']


def test_damaged_cache_is_made_anew(source, reader):
    for part in ('*.names.npy', 'names.json'):
        cached_names(str(source), reader)
        next(cache_folder(source).glob(part)).write_text('[]')
        assert list(cached_names(str(source), reader)) == ['a.jpg', 'b.jpg']


def test_one_of_many_does_the_work(source, reader):
    slow = lambda path: time.sleep(0.2) or reader(path)  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        tables = pool.map(lambda _: list(cached_names(str(source), slow, rescan=True)), range(4))
    assert [*tables] == [['a.jpg', 'b.jpg']] * 4 and reader.call_count == 1


def test_changes_of_a_folder_are_noticed(tmp_path, write_images):
    root = write_images(tmp_path / 'data', ['a/deep/1.jpg', 'b/1.jpg', 'c.jpg'])
    prefixes = [cached_names(str(root)).prefix]
    assert cached_names(str(root)).prefix == prefixes[0]
    (root / 'a' / 'deep' / 'new.jpg').touch()
    prefixes.append(cached_names(str(root)).prefix)
    (root / 'a').rename(root / 'z')
    prefixes.append(cached_names(str(root)).prefix)
    assert len(set(prefixes)) == 3
