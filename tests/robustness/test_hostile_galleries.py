"""Galleries, saved rankings and lists of names that somebody else has written."""

import json
import os

import numpy as np
import pytest
from hostile_images import encode, plain
from hostile_payload import Call

from passreid.datasets import LUPerson
from passreid.evaluation import load_result
from passreid.search import GalleryRecord, open_store

AREA = 'hostile input'
HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4), }"
STATES = {
    'parts climb': {'parts': ['../../etc']},
    'parts absolute': {'parts': ['/etc']},
    'parts numbers': {'parts': [3]},
    'no parts': {'parts': None},
    'a part twice': {'parts': ['part-000001', 'part-000001']},
    'part that is gone': {'parts': ['part-000007']},
    'length as text': {'dim': 'x'},
    'length negative': {'dim': -4},
    'length huge': {'dim': 1 << 40},
    'model a number': {'model': 7},
    'layout climbs': {'layout': '../../x'},
    'index a list': {'index': [1]},
    'more entries': {'evil': 1},
    'newer': {'version': 99},
}
FILES = {
    'list': b'[]',
    'deep': b'[' * 100_000,
    'no UTF-8': b'\xff\xfe',
    'empty': b'',
    'text': b'gallery',
}
RECORDS = {
    'ends negative': {'path_ends': np.array([-5, -4, 1, 2, 3])},
    'ends beyond': {'path_ends': np.array([1, 2, 3, 4, 10**12])},
    'ends fall': {'path_ends': np.array([5, 4, 3, 2, 1])},
    'ends fractions': {'path_ends': np.ones(5)},
    'too few': {'path_ends': np.array([1])},
    'cameras text': {'cam_ids': np.array(['a'] * 5)},
    'times in two columns': {'times': np.ones((5, 2))},
    'code instead of values': {'values': np.frombuffer(b'__import__("os")', np.uint8)},
    'deep values': {'values': np.frombuffer(b'[' * 100_000, np.uint8)},
    'objects': {'paths': np.array([Call(os.mkdir, 'trap')] * 5, dtype=object)},
    'no paths': {'paths': None},
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


@pytest.fixture
def gallery(in_folder):
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    with open_store(in_folder / 'gallery', 4, 'model') as store:
        store.add(features, [GalleryRecord(f'{number}.jpg') for number in range(5)])
    return in_folder / 'gallery'


def assert_refused(gallery):
    with (
        pytest.raises(ValueError, match=f'{gallery}.*(damaged|is known: update)'),
        open_store(gallery) as store,
    ):
        store.search(np.ones((1, 4), np.float32), topk=3)


def changed(file, changes):
    """Write an archive with some arrays changed; None takes one out."""
    with np.load(file) as old:
        arrays = {**old, **changes}
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize('changes', STATES.values(), ids=STATES)
def test_states_of_galleries(gallery, tried, changes):
    file = gallery / 'gallery.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    assert_refused(gallery)
    tried(AREA, 'galleries: names, numbers, path traversal', 'refused: named the file')


@pytest.mark.parametrize('data', FILES.values(), ids=FILES)
def test_files_that_are_no_state(gallery, tried, data):
    (gallery / 'gallery.json').write_bytes(data)
    assert_refused(gallery)
    tried(AREA, 'galleries: files that are none', 'refused: named the file')


@pytest.mark.parametrize('changes', RECORDS.values(), ids=RECORDS)
def test_records_of_galleries(gallery, tried, changes):
    changed(gallery / 'part-000001' / 'records.npz', changes)
    assert_refused(gallery)
    tried(AREA, 'galleries: records that contradict, pickles', 'refused: named the file')


@pytest.mark.parametrize('kind', ['objects', 'truncated', 'huge', 'other shape', 'other type'])
def test_features_of_galleries(gallery, tried, kind):
    file = gallery / 'part-000001' / 'features.npy'
    if kind == 'truncated':
        os.truncate(file, 140)
    elif kind == 'huge':
        file.write_bytes(b'\x93NUMPY\x01\x00\x76\x00' + HEADER.ljust(117) + b'\n')
    else:
        objects = np.array([Call(os.mkdir, 'trap')], dtype=object)
        arrays = {'objects': objects, 'other shape': np.ones((7, 4), np.float32)}
        np.save(file, arrays.get(kind, np.ones((5, 4))), allow_pickle=True)
    assert_refused(gallery)
    tried(AREA, 'galleries: features that are none, pickles', 'refused: named the file')


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize('kind', ['', 'faiss:'], ids=['memory', 'faiss'])
def test_values_of_features(gallery, tried, kind, value):
    """They would be found first, or hide the others."""
    file = gallery / 'part-000001' / 'features.npy'
    features = np.load(file)
    features[3, 2] = value
    np.save(file, features)
    with (
        pytest.raises(ValueError, match=rf'{gallery} is damaged: the feature of .3\.jpg.*anew'),
        open_store(f'{kind}{gallery}') as store,
    ):
        store.search(np.ones((2, 4), np.float32), topk=2)
    tried(AREA, 'galleries: features that are not finite or huge', 'refused: named the picture')


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
