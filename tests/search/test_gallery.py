"""What all stores have in common."""

import itertools
from importlib.util import find_spec

import numpy as np
import pytest
from random_galleries import DIM, MODEL, NASTY, literal_search, random_features, records

from passreid.search import (
    GalleryRecord,
    LocalStore,
    MilvusStore,
    SearchFilter,
    StaleGalleryError,
    open_store,
)

numbers = itertools.count()


@pytest.fixture(scope='module')
def database(tmp_path_factory):
    """A local database that stays open between tests, as starting one takes time."""
    if find_spec('pymilvus') is None:
        pytest.skip('needs pymilvus')
    path = tmp_path_factory.mktemp('milvus') / 'galleries.db'
    with MilvusStore(path, 1, 'none', 'unused'):
        yield path


@pytest.fixture(params=['memory', 'folder', 'milvus'])
def kind(request):
    return request.param


@pytest.fixture
def open_again(kind, tmp_path, request):
    """Return a function that opens the same gallery, whether it is there or not."""
    if kind == 'milvus':
        options = request.getfixturevalue('database'), f'gallery_{next(numbers)}'
        opened = lambda dim, model: MilvusStore(options[0], dim, model, options[1])  # noqa: E731
    else:
        folder = tmp_path / 'gallery' if kind == 'folder' else None
        opened = lambda dim, model: LocalStore(dim, model, folder, 'cpu')  # noqa: E731
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


def test_search_agrees_with_a_loop(store):
    # Few people, each image near the others of its person.
    features = random_features(7)[np.arange(60) % 7] + 0.2 * random_features(60, seed=1)
    known = records(60)
    store.add(features[:35], known[:35])
    store.add(features[35:], known[35:])
    queries = np.concatenate([random_features(3, seed=2), 7 * features[:2]])
    found = store.search(queries, topk=9)
    for query, matches in zip(queries, found, strict=True):
        expected, similarities = literal_search(features, known, query, 9)
        assert paths(matches) == expected
        measured = [match.similarity for match in matches]
        np.testing.assert_allclose(measured, similarities, atol=1e-6)
    assert found[3][0].similarity == pytest.approx(1, abs=1e-6)


def test_records_come_back_whole(store):
    fields = dict(a=-(2**60), b='', c=1e-300, d=-2.5, e=False)
    known = [*records(12), GalleryRecord('least'), GalleryRecord('large', 2**40, -1.5e9, fields)]
    known += [GalleryRecord('numpy', np.int32(3), np.float32(1.5)), GalleryRecord('whole', 1, 7)]
    store.add(random_features(16), known)
    found = {match.record.path: match.record for match in store.search(random_features(1), 50)[0]}
    assert found == {record.path: record for record in known}
    assert {name: type(value) for name, value in found['large'].fields.items()} == dict(
        a=int, b=str, c=float, d=float, e=bool
    )
    assert store.stamps() == {record.path: record.stamp for record in known}


FILTERS = {
    'cameras': (dict(cameras=[0, 2]), lambda r: r.cam_id in (0, 2)),
    'unknown camera cannot be asked for': (dict(cameras=[-1, 1]), lambda r: r.cam_id == 1),
    'no camera': (dict(cameras=()), lambda r: False),
    'not cameras': (dict(not_cameras=[0, 1]), lambda r: r.cam_id in (-1, 2)),
    'unknown camera stays': (dict(not_cameras=[-1]), lambda r: True),
    'since': (dict(since=21), lambda r: r.time is not None and r.time >= 21),
    'until': (dict(until=21.5), lambda r: r.time is not None and r.time <= 21.5),
    'not paths': (dict(not_paths=['0003.jpg', 'other']), lambda r: r.path != '0003.jpg'),
    'text': (dict(fields=dict(weather='rain')), lambda r: r.fields.get('weather') == 'rain'),
    'integer': (dict(fields=dict(frame=1)), lambda r: r.fields.get('frame') == 1),
    'float': (dict(fields=dict(size=3.25)), lambda r: r.fields.get('size') == 3.25),
    'false': (dict(fields=dict(old=False)), lambda r: r.fields.get('old') is False),
    'unknown field': (dict(fields=dict(color='red')), lambda r: False),
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
    """All at once, each query with its own, and one by one."""
    queries = random_features(len(FILTERS) + 1, seed=2)
    where = [*(SearchFilter(**conditions) for conditions, _ in FILTERS.values()), None]
    keeps = [*(keep for _, keep in FILTERS.values()), lambda record: True]
    for topk in (4, 100):
        found = filled.search(queries, topk, where)
        for query, own, keep, matches in zip(queries, where, keeps, found, strict=True):
            expected, _ = literal_search(random_features(60), records(60), query, topk, keep)
            assert paths(matches) == paths(filled.search(query[None], topk, own)[0]) == expected


def test_least_similarity(filled):
    query = random_features(1, seed=4)
    every = filled.search(query, 60)[0]
    # Halfway between two, where rounding does not matter.
    least = (every[6].similarity + every[7].similarity) / 2
    assert paths(filled.search(query, 60, min_similarity=least)[0]) == paths(every[:7])
    assert paths(filled.search(query, 3, min_similarity=least)[0]) == paths(every[:3])


def test_empty_gallery(store):
    store.add(np.empty((0, DIM), np.float32), [])
    assert len(store) == 0 and store.stamps() == {}
    assert store.search(random_features(2), 3, SearchFilter(cameras=[1])) == [[], []]
    assert store.search(np.empty((0, DIM), np.float32)) == []
    assert store.delete(['a.jpg']) == store.delete([]) == 0


def test_images_that_are_there_cannot_be_added(filled):
    with pytest.raises(ValueError, match=r'0003\.jpg'):
        filled.add(random_features(2), [GalleryRecord('new.jpg'), GalleryRecord('0003.jpg')])
    assert len(filled) == 60 and 'new.jpg' not in filled.stamps()


@pytest.mark.parametrize('kind', ['memory'], indirect=True)
@pytest.mark.parametrize(
    ('features', 'names', 'message'),
    [
        (random_features(2), 'aa', '2 features of 1 images'),
        (random_features(1, DIM + 1), 'a', 'shape'),
        (np.full((1, DIM), np.nan), 'a', 'feature of a'),
        (np.zeros((1, DIM)), 'a', 'feature of a'),
    ],
)
def test_bad_features_are_refused(store, features, names, message):
    with pytest.raises(ValueError, match=message):
        store.update(features, [GalleryRecord(name) for name in names])
    assert len(store) == 0


@pytest.mark.parametrize(
    ('make', 'entries'),
    [
        (GalleryRecord, dict(path='a', cam_id=-2)),
        (GalleryRecord, dict(path='a', time=np.nan)),
        (GalleryRecord, dict(path='a', fields={'time': 1})),
        (GalleryRecord, dict(path='a', fields={'b': np.inf})),
        (GalleryRecord, dict(path='a', fields={'b': None})),
        (SearchFilter, dict(fields={'x"] == 1 or $meta["y': 1})),
    ],
)
def test_bad_records_and_filters_are_refused(make, entries):
    with pytest.raises(ValueError):
        make(**entries)


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
    gone = [f'{place:04}.jpg' for place in range(5, 55)]
    assert filled.delete([*gone, 'never.jpg', gone[0]]) == 50
    assert len(filled) == 10 and filled.delete(gone) == 0
    left = {record.path for record in records(60)} - {*gone}
    assert {*filled.stamps()} == {*paths(filled.search(random_features(1), 100)[0])} == left
    filled.add(random_features(60)[5:15], records(10, 5))
    assert paths(filled.search(random_features(60)[7:8], 1)[0]) == ['0007.jpg']


def test_equal_images_are_in_the_order_of_their_paths(store):
    features = np.repeat(random_features(2), [30, 10], axis=0)
    store.add(features, records(40))
    found = store.search(features[[0, 39]], 30)
    assert paths(found[0]) == [f'{place:04}.jpg' for place in range(30)]
    assert paths(found[1])[:10] == [f'{place:04}.jpg' for place in range(30, 40)]


def test_any_text_is_only_text(store):
    known = [GalleryRecord(text, fields=dict(text=text), stamp=text) for text in NASTY]
    features = random_features(len(NASTY))
    store.add(features, known)
    assert store.stamps() == {text: text for text in NASTY}
    for record in known:
        where = [SearchFilter(fields=record.fields), SearchFilter(not_paths=[record.path])]
        found, others = store.search(features[:2], 50, where)
        assert [match.record for match in found] == [record]
        assert {*paths(others)} == {*NASTY} - {record.path}
    store.update(features[:1], [GalleryRecord(NASTY[0], stamp='new')])
    assert store.stamps()[NASTY[0]] == 'new'
    for number, text in enumerate(NASTY, start=1):
        assert store.delete([text]) == 1
        assert len(store) == len(NASTY) - number


@pytest.mark.parametrize('kind', ['folder', 'milvus'], indirect=True)
def test_kept_gallery(store, open_again):
    store.add(random_features(60), records(60))
    store.delete(['0005.jpg'])
    store.update(random_features(1, seed=6), [GalleryRecord('0006.jpg', 1)])
    query = random_features(3, seed=7)
    where = [None, SearchFilter(cameras=[1]), SearchFilter(fields=dict(old=True))]
    expected = store.search(query, 20, where)
    for again in (open_again(), open_again(None, None)):
        assert (again.dim, again.model, len(again)) == (DIM, MODEL, 59)
        assert again.stamps() == store.stamps()
        assert again.search(query, 20, where) == expected
    for origin in ((DIM + 1, MODEL), (DIM, 'model-2')):
        with pytest.raises(StaleGalleryError, match='another model'):
            open_again(*origin)


def test_gallery_that_is_not_there(open_again):
    with pytest.raises(FileNotFoundError, match='no gallery'):
        open_again(None, None)


@pytest.mark.parametrize('where', [None, 'memory', 'a:b'])
def test_open_store(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    with open_store(where, DIM, MODEL, device='cpu') as store:
        assert type(store) is LocalStore and store.where == (where or 'memory')
        store.add(random_features(3), records(3))
    assert [path.name for path in tmp_path.iterdir()] == (['a:b'] if where == 'a:b' else [])


@pytest.mark.parametrize('where', ['', 'faiss:somewhere', 'ftp://host/x', __file__])
def test_other_places_are_refused(where):
    with pytest.raises(ValueError, match='no gallery'):
        open_store(where, DIM, MODEL)
