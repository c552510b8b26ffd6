"""What all stores have in common."""

import itertools

import numpy as np
import pytest
from random_galleries import (
    DIM,
    MODEL,
    NASTY,
    clustered_features,
    literal_search,
    random_features,
    records,
)

from passreid.search import (
    FaissStore,
    GalleryRecord,
    MemoryStore,
    MilvusStore,
    SearchFilter,
    StaleGalleryError,
    faiss_store,
)

STORES = ('memory', 'folder', 'faiss', 'faiss_folder', 'hnsw', 'ivf', 'milvus')
KEPT = ('folder', 'faiss_folder', 'milvus')
numbers = itertools.count()


@pytest.fixture(scope='module')
def database(tmp_path_factory):
    """A local database that stays open between tests, as starting one takes time."""
    pytest.importorskip('pymilvus')
    path = tmp_path_factory.mktemp('milvus') / 'galleries.db'
    with MilvusStore(path, 1, 'none', 'unused'):
        yield path


@pytest.fixture(params=STORES)
def kind(request):
    return request.param


@pytest.fixture
def open_again(kind, tmp_path, request, monkeypatch):
    """Return a function that opens the same gallery, whether it is there or not."""
    # Even of few images the index itself is searched.
    monkeypatch.setattr(faiss_store, '_FEW', 0)
    if kind == 'milvus':
        database, name = request.getfixturevalue('database'), f'gallery_{next(numbers)}'
        opened = lambda dim, model: MilvusStore(database, dim, model, name)  # noqa: E731
    elif kind in ('memory', 'folder'):
        folder = tmp_path / 'gallery' if kind == 'folder' else None
        opened = lambda dim, model: MemoryStore(dim, model, folder, 'cpu')  # noqa: E731
    else:
        pytest.importorskip('faiss')
        folder = tmp_path / 'gallery' if kind == 'faiss_folder' else None
        index = dict(hnsw='HNSW16', ivf='IVF1,Flat').get(kind)
        opened = lambda dim, model: FaissStore(dim, model, folder, index)  # noqa: E731
    stores = []

    def call(dim=DIM, model=MODEL):
        stores.append(opened(dim, model))
        return stores[-1]

    yield call
    for store in stores:
        store.close()


@pytest.fixture
def store(open_again):
    return open_again()


@pytest.fixture
def filled(store):
    store.add(random_features(60), records(60))
    return store


def paths(matches):
    return [match.record.path for match in matches]


@pytest.mark.parametrize('features', [random_features(60), clustered_features(60)])
def test_search_agrees_with_a_loop(store, features):
    known = records(60)
    store.add(features[:35], known[:35])
    store.add(features[35:], known[35:])
    queries = np.concatenate([random_features(3, seed=1), 7 * features[:2]])
    found = store.search(queries, topk=9)
    for query, matches in zip(queries, found, strict=True):
        expected, similarities = literal_search(features, known, query, 9)
        assert paths(matches) == expected
        measured = [match.similarity for match in matches]
        np.testing.assert_allclose(measured, similarities, atol=1e-6)
    assert found[3][0].similarity == pytest.approx(1, abs=1e-6)
    assert all(-1 <= match.similarity <= 1 for matches in found for match in matches)


def test_records_come_back_whole(store):
    known = [
        *records(12),
        GalleryRecord('least.jpg'),
        GalleryRecord(
            'large.jpg', 2**40, -1.5e9, dict(a=-(2**60), b='', c=1e-300, d=-2.5, e=False)
        ),
    ]
    store.add(random_features(14), known)
    found = {match.record.path: match.record for match in store.search(random_features(1), 50)[0]}
    assert found == {record.path: record for record in known}
    fields = found['large.jpg'].fields
    assert {name: type(value) for name, value in fields.items()} == dict(
        a=int, b=str, c=float, d=float, e=bool
    )
    assert store.stamps() == {record.path: record.stamp for record in known}


FILTERS = {
    'cameras': (dict(cameras=[0, 2]), lambda r: r.cam_id in (0, 2)),
    'unknown camera cannot be asked for': (dict(cameras=[-1, 1]), lambda r: r.cam_id == 1),
    'only the unknown camera': (dict(cameras=[-1]), lambda r: False),
    'no camera': (dict(cameras=()), lambda r: False),
    'not cameras': (dict(not_cameras=[0, 1]), lambda r: r.cam_id in (-1, 2)),
    'unknown camera stays': (dict(not_cameras=[-1, 0]), lambda r: r.cam_id != 0),
    'since': (dict(since=21), lambda r: r.time is not None and r.time >= 21),
    'until': (dict(until=21.5), lambda r: r.time is not None and r.time <= 21.5),
    'window': (dict(since=9, until=9), lambda r: r.time == 9),
    'empty window': (dict(since=9.5, until=8.5), lambda r: False),
    'not paths': (dict(not_paths=['0003.jpg', 'other']), lambda r: r.path != '0003.jpg'),
    'text': (dict(fields=dict(weather='rain')), lambda r: r.fields.get('weather') == 'rain'),
    'integer': (dict(fields=dict(frame=7)), lambda r: r.fields.get('frame') == 7),
    'integer as float': (dict(fields=dict(frame=7.0)), lambda r: r.fields.get('frame') == 7),
    'float': (dict(fields=dict(size=3.25)), lambda r: r.fields.get('size') == 3.25),
    'boolean': (dict(fields=dict(old=True)), lambda r: r.fields.get('old') is True),
    'false': (dict(fields=dict(old=False)), lambda r: r.fields.get('old') is False),
    'several fields': (
        dict(fields=dict(old=False, weather='sun')),
        lambda r: r.fields.get('old') is False and r.fields['weather'] == 'sun',
    ),
    'unknown field': (dict(fields=dict(colour='red')), lambda r: False),
    'unknown value': (dict(fields=dict(weather='snow')), lambda r: False),
    'value of another type': (dict(fields=dict(weather=1)), lambda r: False),
    'all': (
        dict(not_cameras=[1], since=5, until=50, not_paths=['0007.jpg'], fields=dict(old=False)),
        lambda r: (
            r.cam_id != 1
            and r.time is not None
            and 5 <= r.time <= 50
            and r.path != '0007.jpg'
            and r.fields.get('old') is False
        ),
    ),
}


def test_filters(filled):
    """All at once: each query has its own."""
    queries = random_features(len(FILTERS), seed=2)
    where = [SearchFilter(**conditions) for conditions, _ in FILTERS.values()]
    for topk in (4, 100):
        found = filled.search(queries, topk, where)
        for name, query, matches in zip(FILTERS, queries, found, strict=True):
            keep = FILTERS[name][1]
            expected, _ = literal_search(random_features(60), records(60), query, topk, keep)
            assert paths(matches) == expected, name
            assert paths(filled.search(query[None], topk, SearchFilter(**FILTERS[name][0]))[0]) == (
                expected
            )


def test_no_filter_among_filters(filled):
    query = np.repeat(random_features(1, seed=3), 3, axis=0)
    where = [None, SearchFilter(cameras=[1]), SearchFilter()]
    found = filled.search(query, 5, where)
    assert paths(found[0]) == paths(found[2]) == paths(filled.search(query[:1], 5)[0])
    assert {match.record.cam_id for match in found[1]} == {1}


def test_least_similarity(filled):
    query = random_features(1, seed=4)
    every = filled.search(query, 60)[0]
    # Halfway between two, where rounding does not matter.
    least = (every[6].similarity + every[7].similarity) / 2
    assert paths(filled.search(query, 60, min_similarity=least)[0]) == paths(every[:7])
    assert filled.search(query, 3, min_similarity=least)[0] == every[:3]
    assert filled.search(query, 60, min_similarity=1.0)[0] == []


def test_more_asked_for_than_there_are(filled):
    found = filled.search(random_features(2), 1000, SearchFilter(not_paths=['0001.jpg']))
    assert [len(matches) for matches in found] == [59, 59]
    assert len(set(paths(found[0]))) == 59


def test_empty_gallery(store):
    assert len(store) == 0 and store.stamps() == {}
    assert store.search(random_features(2), 3, SearchFilter(cameras=[1])) == [[], []]
    assert store.search(np.empty((0, DIM), np.float32)) == []
    assert store.delete(['a.jpg']) == store.delete([]) == 0
    store.add(np.empty((0, DIM), np.float32), [])
    assert len(store) == 0


def test_images_that_are_there_cannot_be_added(filled):
    with pytest.raises(ValueError, match=r"1 images are in the gallery already, such as '0003.jpg"):
        filled.add(random_features(2), [GalleryRecord('new.jpg'), GalleryRecord('0003.jpg')])
    assert len(filled) == 60 and 'new.jpg' not in filled.stamps()


BAD_IMAGES = [
    (random_features(2), [GalleryRecord('a')] * 2, "'a' is given 2 times"),
    (random_features(2), [GalleryRecord('a')], '2 features, but 1 records'),
    (random_features(1, DIM + 1), [GalleryRecord('a')], r'shape \(1, 13\)'),
    (random_features(1)[0], records(DIM), r'shape \(12,\)'),
    (
        np.full((1, DIM), np.nan),
        [GalleryRecord('a')],
        'not finite or zero, the first that of a:',
    ),
    (np.full((1, DIM), np.inf), [GalleryRecord('a')], 'not finite or zero'),
    (np.zeros((1, DIM)), [GalleryRecord('a')], 'not finite or zero'),
    (random_features(1), [GalleryRecord('')], 'a path is text that is not empty'),
    (random_features(1), [GalleryRecord('\ud800')], 'a path is text'),
    (random_features(1), [GalleryRecord('a', -2)], "record of 'a': cam_id is -2"),
    (random_features(1), [GalleryRecord('a', 2**63)], 'cam_id is 9223372036854775808'),
    (random_features(1), [GalleryRecord('a', time=np.nan)], 'time is nan'),
    (random_features(1), [GalleryRecord('a', fields={'a b': 1})], "a field is called 'a b'"),
    (random_features(1), [GalleryRecord('a', fields={'time': 1})], "a field is called 'time'"),
    (random_features(1), [GalleryRecord('a', fields={'b': np.inf})], 'the field b is inf'),
    (random_features(1), [GalleryRecord('a', fields={'b': None})], 'the field b is None'),
    (random_features(1), [GalleryRecord('a', fields={'b': 2**63})], 'the field b is 92'),
    (random_features(1), [GalleryRecord('a', stamp=None)], 'stamp is None'),
]


def test_bad_images_are_refused(store):
    changes = itertools.product((store.add, store.update), BAD_IMAGES)
    for change, (features, known, message) in changes:
        with pytest.raises(ValueError, match=message):
            change(features, known)
    assert len(store) == 0


BAD_QUERIES = [
    (dict(topk=0), 'topk is 0'),
    (dict(features=random_features(1, DIM - 1)), r'shape \(1, 11\)'),
    (
        dict(features=np.full((2, DIM), np.nan)),
        'or zero, the first that of number 0',
    ),
    (dict(where=[None]), '2 queries, but 1 filters'),
    (dict(where=SearchFilter(fields={'x"] == 1 or $meta["y': 1})), 'a field is called'),
    (dict(where=SearchFilter(since=np.nan)), 'since is nan'),
    (dict(where=SearchFilter(cameras=['1'])), 'must hold integers'),
]


def test_bad_queries_are_refused(filled):
    for arguments, message in BAD_QUERIES:
        with pytest.raises(ValueError, match=message):
            filled.search(**dict(dict(features=random_features(2)), **arguments))


def test_update_replaces_all_of_an_image(filled):
    features = random_features(3, seed=5)
    changed = [
        GalleryRecord('0003.jpg', 9, 99.5, dict(weather='fog'), 'new'),
        GalleryRecord('0004.jpg'),
        GalleryRecord('added.jpg', stamp='added'),
    ]
    before = filled.search(random_features(60)[3:4], 1)[0][0]
    assert before.record.path == '0003.jpg' and before.similarity == pytest.approx(1)
    filled.update(features, changed)
    assert len(filled) == 61
    found = filled.search(features, 1)
    assert [matches[0].record for matches in found] == changed
    assert all(matches[0].similarity == pytest.approx(1) for matches in found)
    nearest = filled.search(random_features(60)[3:4], 61)[0]
    assert len(nearest) == 61 and nearest[0].similarity < 0.99
    stamps = filled.stamps()
    assert (stamps['0003.jpg'], stamps['0004.jpg'], stamps['added.jpg']) == ('new', '', 'added')


def test_delete_counts_what_was_there(filled):
    gone = [f'{place:04}.jpg' for place in range(0, 50)]
    assert filled.delete([*gone, 'never.jpg', gone[0]]) == 50
    assert len(filled) == 10 and filled.delete(gone) == 0
    assert set(filled.stamps()) == {f'{place:04}.jpg' for place in range(50, 60)}
    assert sorted(paths(filled.search(random_features(1), 100)[0])) == sorted(filled.stamps())
    filled.add(random_features(1), records(1))
    assert paths(filled.search(random_features(1), 1)[0]) == ['0000.jpg']


def test_copies_of_an_image_are_all_found(store):
    features = np.repeat(random_features(2), [30, 10], axis=0)
    store.add(features, records(40))
    found = store.search(features[[0, 39]], 30)
    assert paths(found[0]) == [f'{place:04}.jpg' for place in range(30)]
    assert paths(found[1])[:10] == [f'{place:04}.jpg' for place in range(30, 40)]
    assert len({match.similarity for match in found[0]}) == 1


def test_any_text_is_only_text(store):
    known = [GalleryRecord(text, fields=dict(text=text), stamp=text) for text in NASTY]
    features = random_features(len(NASTY))
    store.add(features, known)
    assert store.stamps() == {text: text for text in NASTY}
    for place, text in enumerate(NASTY):
        found = store.search(features[:1], 50, SearchFilter(fields=dict(text=text)))[0]
        assert [match.record for match in found] == [known[place]]
        others = store.search(features[:1], 50, SearchFilter(not_paths=[text]))[0]
        assert set(paths(others)) == {*NASTY} - {text}
    with pytest.raises(ValueError, match='already'):
        store.add(features[:1], known[:1])
    store.update(features[:1], [GalleryRecord(NASTY[0], stamp='new')])
    assert store.stamps()[NASTY[0]] == 'new'
    for number, text in enumerate(NASTY, start=1):
        assert store.delete([text]) == 1
        assert len(store) == len(NASTY) - number


@pytest.mark.parametrize('kind', KEPT, indirect=True)
def test_kept_gallery_is_the_same(filled, open_again):
    filled.delete(['0005.jpg'])
    filled.update(random_features(1, seed=6), [GalleryRecord('0006.jpg', 1)])
    query = random_features(3, seed=7)
    where = [None, SearchFilter(cameras=[1]), SearchFilter(fields=dict(old=True))]
    expected, stamps = filled.search(query, 20, where), filled.stamps()
    filled.flush()
    for again in (open_again(), open_again(None, None)):
        assert (again.dim, again.model, len(again)) == (DIM, MODEL, 59)
        assert again.stamps() == stamps
        assert again.search(query, 20, where) == expected


@pytest.mark.parametrize('kind', KEPT, indirect=True)
@pytest.mark.parametrize('origin', [(DIM + 1, MODEL), (DIM, 'model-2')])
def test_gallery_of_another_model_is_refused(filled, open_again, origin):
    filled.flush()
    with pytest.raises(StaleGalleryError, match='that of another model: .* index the images'):
        open_again(*origin)
    assert len(open_again()) == 60


@pytest.mark.parametrize('kind', KEPT, indirect=True)
def test_gallery_that_is_not_there(open_again):
    with pytest.raises(FileNotFoundError, match='index images first, or give its dim and model'):
        open_again(None, None)


def test_store_without_length_or_model_is_refused(open_again):
    with pytest.raises(ValueError, match='needs the length of a feature, but got 0'):
        open_again(0, MODEL)
    with pytest.raises(ValueError, match="but got ''"):
        open_again(DIM, '')
