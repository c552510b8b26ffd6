import numpy as np
import pytest
import torch
from random_galleries import DIM, MODEL, literal_search, random_features, records

from passreid.search import GalleryRecord, MemoryStore, SearchFilter, memory_store


@pytest.fixture
def store():
    store = MemoryStore(DIM, MODEL, device='cpu')
    store.add(random_features(200), records(200))
    return store


def test_chunks_make_no_difference(store, monkeypatch):
    queries = random_features(9, seed=1)
    where = [
        None,
        SearchFilter(not_cameras=[1], not_paths=['0001.jpg']),
        SearchFilter(since=90),
    ] * 3
    expected = store.search(queries, 7, where)
    for products in (1, 450, 800):
        monkeypatch.setattr(memory_store, '_PRODUCTS', products)
        assert store.search(queries, 7, where) == expected


def test_products_that_exist_at_a_time_are_bounded(store, monkeypatch):
    monkeypatch.setattr(memory_store, '_PRODUCTS', 1000)
    sizes = []
    forbid = memory_store._forbid

    def watch(scores, *args):
        sizes.append(scores.numel())
        forbid(scores, *args)

    monkeypatch.setattr(memory_store, '_forbid', watch)
    store.search(random_features(17), 3)
    assert sizes == [1000, 1000, 1000, 400]


def test_filters_are_looked_at_once_each(store, monkeypatch):
    calls = []
    allowed = store._records.allowed
    monkeypatch.setattr(store._records, 'allowed', lambda own: calls.append(own) or allowed(own))
    where = [SearchFilter(not_cameras=[n % 2], not_paths=[f'{n:04}.jpg']) for n in range(10)]
    found = store.search(random_features(10, seed=2), 5, where)
    assert len(calls) == 2
    for own, matches in zip(where, found, strict=True):
        assert not {m.record.cam_id for m in matches} & {*own.not_cameras}
        assert len(matches) == 5


def test_similarities_do_not_depend_on_the_other_queries_and_images(store):
    query = random_features(1, seed=3)
    alone = store.search(query, 5)[0]
    together = store.search(np.concatenate([random_features(70), query]), 5)[-1]
    fewer = MemoryStore(DIM, MODEL, device='cpu')
    places = [int(match.record.path[:4]) for match in alone]
    fewer.add(random_features(200)[places], [records(200)[place] for place in places])
    assert alone == together == fewer.search(query, 5)[0]


def test_equal_images_are_in_the_order_of_their_addition():
    """However many there are, and wherever a matrix product rounds them differently."""
    store = MemoryStore(67, MODEL, device='cpu')
    features = np.repeat(random_features(1, 67), 501, axis=0)
    store.add(features, [GalleryRecord(str(place)) for place in range(501)])
    for queries in (random_features(1, 67, seed=5), random_features(9, 67, seed=5)):
        for matches in store.search(queries, 20):
            assert [match.record.path for match in matches] == [str(place) for place in range(20)]


def test_order_after_an_update(store):
    store.add(random_features(1), [GalleryRecord('copy.jpg')])
    assert [m.record.path for m in store.search(random_features(1), 2)[0]] == [
        '0000.jpg',
        'copy.jpg',
    ]
    store.update(random_features(1), [GalleryRecord('0000.jpg')])
    assert [m.record.path for m in store.search(random_features(1), 2)[0]] == [
        'copy.jpg',
        '0000.jpg',
    ]


def test_rows_of_several_parts_are_one_gallery(tmp_path):
    features, known = random_features(90), records(90)
    store = MemoryStore(DIM, MODEL, tmp_path, 'cpu')
    for start, end in ((0, 50), (50, 70), (70, 80)):
        store.add(features[start:end], known[start:end])
        store.flush()
    store.add(features[80:], known[80:])
    assert [len(block) for block in store._features] == [50, 20, 10, 10]
    for query in random_features(4, seed=6):
        paths, _ = literal_search(features, known, query, 90)
        assert [m.record.path for m in store.search(query[None], 90)[0]] == paths


def test_device_keeps_features_until_they_change(store, monkeypatch):
    """As on an accelerator; a processor takes them as they are."""
    store.device = torch.device('meta')
    held = store._on_device()
    assert store._on_device() is held and held[0].device.type == 'meta'
    store.add(random_features(1), [GalleryRecord('new.jpg')])
    assert store._on_device()[0].shape == (201, DIM)
    store.delete([f'{place:04}.jpg' for place in range(150)])
    assert store._on_device()[0].shape == (51, DIM)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an accelerator')
def test_accelerator_finds_the_same(store):
    queries = random_features(9, seed=7)
    where = [
        None,
        SearchFilter(not_cameras=[1]),
        SearchFilter(since=20, not_paths=['0030.jpg']),
    ] * 3
    other = MemoryStore(DIM, MODEL, device='cuda')
    other.add(random_features(200), records(200))
    assert other.search(queries, 9, where) == store.search(queries, 9, where)
