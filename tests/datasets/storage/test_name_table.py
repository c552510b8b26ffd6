import copy
import os
import pickle

import numpy as np
import pytest

from passreid.datasets.storage.name_table import NameTable

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
    assert len(table) == 5


@pytest.mark.parametrize('index', [5, -6])
def test_beyond_the_end(table, index):
    with pytest.raises(IndexError):
        table[index]


def test_parts(table):
    assert list(table[1:4]) == NAMES[1:4]
    assert list(table[-2:]) == NAMES[-2:]
    taken = table.take([3, 0, -1])
    assert list(taken) == [NAMES[3], NAMES[0], NAMES[-1]]
    assert list(taken[1:]) == [NAMES[0], NAMES[-1]]
    assert list(taken.take([2])) == [NAMES[-1]]


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_map_the_same_files(table, copied):
    twin = copied(table[1:])
    assert list(twin) == NAMES[1:]
    assert isinstance(twin._blob, np.memmap)


def test_a_pickle_does_not_hold_the_names(tmp_path):
    prefix = str(tmp_path / 'many')
    NameTable.write(prefix, (f'{number:08d}.jpg' for number in range(10_000)))
    assert len(pickle.dumps(NameTable(prefix))) < 1000


def test_nothing_is_written_for_no_names(tmp_path):
    assert NameTable.write(str(tmp_path / 'none'), []) == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('part', 'array'),
    [
        ('ends', np.array([1, 10**12])),
        ('ends', np.array([-5, 3])),
        ('ends', np.array([3, 1])),
        ('ends', np.array([1])),
        ('ends', np.array([1.0, 3.0])),
        ('ends', np.array([[1, 3]])),
        ('ends', np.zeros(0, np.int64)),
        ('names', np.zeros(3, np.int64)),
        ('names', np.array([{}], dtype=object)),
    ],
)
def test_files_that_are_no_table(tmp_path, part, array):
    prefix = str(tmp_path / 'table')
    assert not NameTable.is_sound(prefix)
    NameTable.write(prefix, ['a', 'bc'])
    assert NameTable.is_sound(prefix)
    np.save(f'{prefix}.{part}.npy', array, allow_pickle=True)
    assert not NameTable.is_sound(prefix)
