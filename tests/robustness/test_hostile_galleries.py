"""Saved rankings and lists of names that somebody else has written."""

import json
import os

import numpy as np
import pytest
from hostile_images import encode, plain
from hostile_payload import Call

from passreid.datasets import LUPerson
from passreid.evaluation import load_result

AREA = 'hostile input'
FILES = {
    'list': b'[]',
    'deep': b'[' * 100_000,
    'no UTF-8': b'\xff\xfe',
    'empty': b'',
    'text': b'gallery',
}
RESULT = dict(
    features=np.ones((3, 2)),
    pids=np.arange(3),
    cam_ids=np.arange(3),
    is_query=np.array([True, False, False]),
    img_paths=np.array(['a', 'b', 'c']),
    indices=np.zeros((1, 2), int),
    distances=np.zeros((1, 2)),
    average_precision=np.zeros(1),
)
RESULTS = {
    'objects': {'img_paths': np.array([Call(os.mkdir, 'trap')] * 3, dtype=object)},
    'beyond the gallery': {'indices': np.full((1, 2), 99)},
    'before the gallery': {'indices': np.full((1, 2), -7)},
    'other lengths': {'pids': np.arange(9)},
    'numbers for truth': {'is_query': np.array([5, 6, 7])},
    'one missing': {'distances': None},
    'paths as bytes': {'img_paths': np.array([b'a', b'b', b'c'])},
}
CACHES = {
    'table elsewhere': {'table': '../../x'},
    'table absolute': {'table': '/etc/passwd'},
    'table a number': {'table': 5},
    'no table': {'table': None},
    'stamps a list': {'stamps': []},
    'stamp a text': {'stamps': {'': 'x'}},
    'stamp empty': {'stamps': {'': []}},
    'finished tomorrow': {'finished': 'tomorrow'},
    'newer': {'version': 99},
}
TABLES = {
    'objects': ('names', np.array([Call(os.mkdir, 'trap')], dtype=object)),
    'ends beyond': ('ends', np.array([5, 10**12])),
    'ends negative': ('ends', np.array([-5, 10])),
    'ends fractions': ('ends', np.array([5.0, 10.0])),
    'ends in two rows': ('ends', np.ones((2, 2), np.int64)),
    'no ends': ('ends', np.zeros(0, np.int64)),
    'wide names': ('names', np.zeros(10, np.int64)),
}


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """A folder in which a trap that is sprung makes 'trap'."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / 'trap').exists()


def changed(file, changes):
    """Write an archive with some arrays changed; None takes one out."""
    with np.load(file) as old:
        arrays = {**old, **changes}
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize('changes', RESULTS.values(), ids=RESULTS)
def test_saved_rankings(in_folder, tried, changes):
    np.savez(in_folder / 'result.npz', **RESULT)
    assert load_result(in_folder).query_paths.tolist() == ['a']
    changed(in_folder / 'result.npz', changes)
    with pytest.raises(ValueError, match=r'result\.npz'):
        load_result(in_folder)
    tried(AREA, 'saved rankings: contradictions, pickles', 'refused: named the file')


@pytest.fixture
def kept(in_folder):
    """A folder of images whose list of names is kept."""
    for name in ('a.jpg', 'b.jpg'):
        (in_folder / name).write_bytes(encode(plain(), 'JPEG'))
    LUPerson(str(in_folder))
    return in_folder


def assert_listed_anew(folder):
    dataset = LUPerson(str(folder))
    assert [dataset[index]['img_path'] for index in range(len(dataset))] == [
        str(folder / 'a.jpg'),
        str(folder / 'b.jpg'),
    ]


@pytest.mark.parametrize('changes', CACHES.values(), ids=CACHES)
def test_states_of_kept_names(kept, tried, changes):
    file = next((kept / '.passreid_cache').glob('*.json'))
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    assert_listed_anew(kept)
    tried(AREA, 'kept lists of names: other states, path traversal', 'listed anew')


@pytest.mark.parametrize('data', [*FILES.values(), None], ids=[*FILES, 'pipe'])
def test_files_that_are_no_kept_names(kept, tried, data):
    file = next((kept / '.passreid_cache').glob('*.json'))
    if data is None:
        file.unlink()
        os.mkfifo(file)
    else:
        file.write_bytes(data)
    assert_listed_anew(kept)
    tried(AREA, 'kept lists of names: files that are none, pipes', 'listed anew')


@pytest.mark.parametrize(('part', 'array'), TABLES.values(), ids=TABLES)
def test_tables_of_kept_names(kept, tried, part, array):
    file = next((kept / '.passreid_cache').glob(f'*.{part}.npy'))
    np.save(file, array, allow_pickle=True)
    assert_listed_anew(kept)
    tried(AREA, 'kept lists of names: contradictions, pickles', 'listed anew')
