import sys

import numpy as np
import pytest
from random_galleries import DIM, MODEL, clustered_features, random_features, records

from passreid.search import FaissStore, GalleryRecord, MemoryStore, SearchFilter

faiss = pytest.importorskip('faiss')
NUMBER = 3000


def paths(found):
    return [[match.record.path for match in matches] for matches in found]


@pytest.fixture(scope='module')
def exact():
    store = MemoryStore(DIM, MODEL, device='cpu')
    store.add(clustered_features(NUMBER, people=300), records(NUMBER))
    return store


def approximate(index, folder=None, **options):
    store = FaissStore(DIM, MODEL, folder, index, **options)
    store.add(clustered_features(NUMBER, people=300), records(NUMBER))
    return store


QUERIES = clustered_features(100, people=300, seed=0)
FILTERS = [
    None,
    SearchFilter(not_cameras=[1]),
    SearchFilter(since=400, until=2900),
    SearchFilter(cameras=[0]),
    SearchFilter(not_paths=[record.path for record in records(200)]),
]


@pytest.mark.parametrize('index', ['Flat', 'HNSW16', 'IVF16,Flat', 'IVF16,PQ6x8'])
@pytest.mark.parametrize('where', FILTERS)
def test_recall_and_similarities(exact, index, where):
    expected = exact.search(QUERIES, 10, where)
    found = approximate(index).search(QUERIES, 10, where)
    known = [{m.record.path: m.similarity for m in matches} for matches in expected]
    hits = [
        sum(path in own for path in names) for own, names in zip(known, paths(found), strict=True)
    ]
    least = {'Flat': 1, 'IVF16,PQ6x8': 0.7}.get(index, 0.95)
    assert np.mean(hits) / 10 >= least
    assert all(len(matches) == 10 for matches in found)
    for own, matches in zip(known, found, strict=True):
        # Those of an approximate index are not of the codes that it looked at.
        for match in matches:
            assert match.similarity == own.get(match.record.path, match.similarity)
        assert [m.similarity for m in matches] == sorted(m.similarity for m in matches)[::-1]


def test_effort_buys_recall(exact):
    expected = paths(exact.search(QUERIES, 20))
    recalls = []
    for effort in (1, 16):
        found = paths(approximate('IVF16,Flat', effort=effort).search(QUERIES, 20))
        recalls.append(sum(len({*a} & {*b}) for a, b in zip(expected, found, strict=True)))
    assert recalls[0] < recalls[1] == 20 * len(QUERIES)


def test_lists_wait_until_there_are_enough_images(exact):
    store = FaissStore(DIM, MODEL, index='IVF16,Flat', effort=1)
    features, known = clustered_features(NUMBER, people=300), records(NUMBER)
    store.add(features[:500], known[:500])
    few = MemoryStore(DIM, MODEL, device='cpu')
    few.add(features[:500], known[:500])
    assert store.search(QUERIES, 5) == few.search(QUERIES, 5)
    assert not store._index.is_trained
    store.add(features[500:], known[500:])
    store.search(QUERIES, 5)
    assert store._index.ntotal == NUMBER


def test_filter_that_allows_few_is_exact(exact):
    where = SearchFilter(since=100, until=140)
    found = approximate('HNSW4', effort=1).search(QUERIES, 50, where)
    assert found == exact.search(QUERIES, 50, where)


def test_index_is_kept_and_goes_on(tmp_path, exact, monkeypatch):
    with approximate('HNSW16', tmp_path) as store:
        expected = store.search(QUERIES, 5)
    assert [path.name for path in tmp_path.glob('index-*')] == ['index-000000-HNSW16.faiss']
    again = FaissStore(folder=tmp_path)
    assert (again._index.ntotal, type(again._index)) == (NUMBER, faiss.IndexHNSWFlat)
    monkeypatch.setattr(again, '_make', lambda: pytest.fail('a new index was made'))
    assert again.search(QUERIES, 5) == expected
    again.add(random_features(1, seed=1), [GalleryRecord('new.jpg')])
    again.close()
    last = FaissStore(folder=tmp_path)
    assert last._index.ntotal == NUMBER + 1
    assert paths(last.search(random_features(1, seed=1), 1)) == [['new.jpg']]


def test_index_follows_deletions(tmp_path):
    with approximate('HNSW16', tmp_path) as store:
        store.search(QUERIES, 5)
        store.delete(record.path for record in records(500))
        assert not {*paths(store.search(QUERIES, 5))[0]} & {r.path for r in records(500)}
        expected = store.search(QUERIES, 5)
    again = FaissStore(folder=tmp_path)
    assert again._index.ntotal == NUMBER - 500
    assert [path.name for path in tmp_path.glob('index-*')] == ['index-000001-HNSW16.faiss']
    same = np.mean([a == b for a, b in zip(again.search(QUERIES, 5), expected, strict=True)])
    # A graph depends on the order in which it grew.
    assert same > 0.9


def test_index_of_a_gallery_that_others_have_changed_is_not_kept(tmp_path):
    with MemoryStore(DIM, MODEL, tmp_path, 'cpu') as writer:
        writer.add(random_features(20), records(20))
    reader = FaissStore(folder=tmp_path)
    reader.search(QUERIES, 5)
    writer.delete(['0001.jpg'])
    writer.flush()
    reader.close()
    assert list(tmp_path.glob('*index*')) == []


def test_damaged_index_is_made_anew(tmp_path):
    with approximate('Flat', tmp_path) as store:
        expected = store.search(QUERIES, 5)
    file = next(tmp_path.glob('index-*'))
    file.write_bytes(b'nothing of the kind')
    with FaissStore(folder=tmp_path) as again:
        assert again.search(QUERIES, 5) == expected
    assert file.stat().st_size > 4 * DIM * NUMBER


def test_galleries_of_both_kinds_open_each_other(tmp_path):
    with MemoryStore(DIM, MODEL, tmp_path, 'cpu') as store:
        store.add(random_features(20), records(20))
        expected = store.search(QUERIES, 5)
    with FaissStore(folder=tmp_path) as store:
        assert store.search(QUERIES, 5) == expected
        store.delete(['0001.jpg'])
        expected = store.search(QUERIES, 5)
    assert MemoryStore(folder=tmp_path, device='cpu').search(QUERIES, 5) == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(index='Flatt'), "faiss knows no index 'Flatt'"),
        (dict(index='PCA4,Flat'), "'PCA4,Flat' cannot be searched with filters: take one like"),
        (dict(effort=0), 'effort is 0'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FaissStore(DIM, MODEL, **options)


def test_missing_faiss_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        FaissStore(DIM, MODEL)
