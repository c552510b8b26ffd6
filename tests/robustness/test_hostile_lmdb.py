"""LMDBs and key lists that were damaged, or written by someone with ill intent."""

import os
import pickle

import lmdb
import numpy as np
import pytest
from hostile_images import encode, read_folder
from hostile_payload import PICKLES
from PIL import Image

AREA = 'hostile input'
KEYS = [f'01_02_{number:04d}' for number in range(40)]


@pytest.fixture
def root(tmp_path):
    """LUPerson as distributed, of pictures that compress badly: a file of many pages."""
    (tmp_path / 'lmdb').mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 32, 3), dtype=np.uint8)
    with (
        lmdb.open(str(tmp_path / 'lmdb'), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, picture in zip(KEYS, noise, strict=True):
            transaction.put(key.encode(), encode(Image.fromarray(picture), 'JPEG'))
    write_keys(tmp_path, KEYS)
    return tmp_path


def write_keys(root, content):
    data = content if isinstance(content, bytes) else pickle.dumps(content)
    (root / 'keys.pkl').write_bytes(data)


def put(root, key, value):
    with (
        lmdb.open(str(root / 'lmdb'), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(key, value)


@pytest.mark.parametrize(
    'key',
    ['lost', '../../etc/passwd', '/etc/passwd', '', 'a\0b', 'k' * 600, '人', '\udcff', 'a\nb\x1b'],
)
def test_keys_that_are_not_there(root, tried, log, key):
    write_keys(root, [*KEYS[:5], key])
    read, summary = read_folder(root)
    assert (sorted(read), summary['names']) == (KEYS[:5], [key])
    (line,) = [line for line in log().splitlines() if 'another sample takes its place' in line]
    assert line.isprintable()
    tried(AREA, 'LMDB: missing keys, keys that look like paths', 'counted and logged')


@pytest.mark.parametrize('value', [b'', b'text', b'\xff\xd8\xff', bytes(9)])
def test_values_that_are_no_pictures(root, tried, value):
    put(root, KEYS[3].encode(), value)
    read, summary = read_folder(root)
    assert len(read) == len(KEYS) - 1
    assert summary['names'] == [KEYS[3]]
    tried(AREA, 'LMDB: empty and damaged values', 'counted and logged')


def test_files_that_end_anywhere(root, tried, full):
    file = root / 'lmdb' / 'data.mdb'
    data = file.read_bytes()
    lengths = [0, 1, 4095, 4096, 8191, 8192, 12288, len(data) - 4096, len(data) - 1]
    lengths += range(100, len(data), 4096 if full else 37_000)
    for length in lengths:
        # A file of its own: one that is open cannot be cut without harm to who reads it.
        file.unlink()
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r'data\.mdb .*was not copied to its end'):
            read_folder(root)
    file.unlink()
    file.write_bytes(data)
    assert len(read_folder(root)[0]) == len(KEYS)
    tried(AREA, 'LMDB: truncated anywhere', 'refused: named the file', len(lengths))


@pytest.mark.parametrize('data', [b'text' * 5000, bytes(99_999), b'PK\x03\x04' * 9999])
def test_files_that_are_no_lmdb(root, tried, data):
    file = root / 'lmdb' / 'data.mdb'
    file.unlink()
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r'data\.mdb is no LMDB'):
        read_folder(root)
    tried(AREA, 'LMDB: other files', 'refused: named the file')


def test_keys_and_values_beyond_the_list(root, tried):
    write_keys(root, {'keys': KEYS[:7], 'pids': list(range(7))})
    assert sorted(read_folder(root)[0]) == KEYS[:7]
    write_keys(root, KEYS[:4] * 2)
    read, summary = read_folder(root)
    assert (sorted(read), summary['seen'], summary['bad']) == (KEYS[:4], 8, 0)
    tried(AREA, 'LMDB: fewer keys than values, keys listed twice', 'read as listed', 2)


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\x80',
        b'keys',
        pickle.dumps(KEYS)[:-9],
        pickle.dumps(KEYS)[:40],
        [1, 2],
        [b'a'],
        ['a', None],
        [['a']],
        'a',
        7,
        None,
        {'a': 1},
        {'keys': 'abc'},
        {'keys': {'a': 1}},
        {'keys': KEYS, 'pids': [object]},
        [],
        ['\ud800'],
        b'\x80\x02' + b'(' * 1_000_000 + b'.',
        b'\x80\x02]' + b'\x85' * 1_000_000 + b'.',
        b'\x80\x02' + b'](' * 300_000 + b'e' * 300_000 + b'.',
        b'\x80\x04\x8d' + b'\xff' * 7 + b'\x0f' + b'a.',
        b'\x80\x04\x95' + b'\xff' * 8 + b'.',
        b'\x80\x02X\xff\xff\xff\x7fa.',
    ],
    ids=lambda content: repr(content)[:24],
)
def test_key_lists_that_are_none(root, tried, content):
    write_keys(root, content)
    with pytest.raises(ValueError, match=r'keys\.pkl'):
        read_folder(root)
    tried(AREA, 'key lists: truncated, other content, deep or huge', 'refused: named the file')


@pytest.mark.parametrize('name', PICKLES)
def test_nothing_in_a_key_list_is_run(root, tried, name):
    trap = root / 'trap'
    write_keys(root, PICKLES[name](trap))
    with pytest.raises(ValueError, match=r'keys\.pkl'):
        read_folder(root)
    assert not os.path.lexists(trap)
    tried(AREA, 'key lists: pickles with code', 'refused, nothing run')


def test_missing_parts(root, tried):
    (root / 'keys.pkl').rename(root / 'keys')
    with pytest.raises(FileNotFoundError, match=r'lacks its key list .*keys\.pkl'):
        read_folder(root)
    os.mkfifo(root / 'keys.pkl')
    with pytest.raises(FileNotFoundError, match=r'lacks its key list .*keys\.pkl'):
        read_folder(root)
    tried(AREA, 'key lists: missing, pipes', 'refused: named the file', 2)
