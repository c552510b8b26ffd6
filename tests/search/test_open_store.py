import numpy as np
import pytest
from random_galleries import DIM, MODEL, random_features, records

from passreid.search import FaissStore, MemoryStore, MilvusStore, StaleGalleryError, open_store


@pytest.mark.parametrize('where', [None, 'memory'])
def test_memory(where):
    store = open_store(where, DIM, MODEL, device='cpu')
    assert type(store) is MemoryStore and store._folder is None
    with pytest.raises(FileNotFoundError, match='there is no gallery in memory yet'):
        open_store(where)


@pytest.mark.parametrize(
    ('form', 'kind'),
    [
        ('{}/folder', MemoryStore),
        ('faiss:{}/folder', FaissStore),
        ('{}/file.db', MilvusStore),
        ('milvus:{}/file.db', MilvusStore),
    ],
)
def test_kept_galleries(tmp_path, form, kind):
    pytest.importorskip('faiss')
    pytest.importorskip('pymilvus')
    where = form.format(tmp_path)
    with pytest.raises(FileNotFoundError, match='index images first, or give its dim and model'):
        open_store(where)
    with open_store(where, DIM, MODEL) as store:
        assert type(store) is kind
        store.add(random_features(3), records(3))
    with open_store(where) as store:
        assert (len(store), store.dim, store.model) == (3, DIM, MODEL)
    with pytest.raises(StaleGalleryError):
        open_store(where, DIM, 'another')


def test_paths_may_be_path_objects(tmp_path):
    with open_store(tmp_path / 'a', DIM, MODEL) as store:
        store.add(np.eye(DIM)[:1], records(1))
    assert len(open_store(tmp_path / 'a')) == 1


def test_options_reach_the_store(tmp_path):
    faiss = pytest.importorskip('faiss')
    store = open_store(f'faiss:{tmp_path}', DIM, MODEL, index='HNSW8', effort=5)
    assert isinstance(store._index, faiss.IndexHNSWFlat) and store._effort == 5


def test_address(tmp_path):
    pytest.importorskip('pymilvus')
    for address in ('http://127.0.0.1:9', 'HTTPS://127.0.0.1:9'):
        with pytest.raises(ConnectionError, match='cannot open http'):
            open_store(address, DIM, MODEL, timeout=1)


@pytest.mark.parametrize('where', ['', 'qdrant:somewhere', 'faiss:', 'milvus:', 'ftp://host/x'])
def test_other_places_are_refused(where):
    with pytest.raises(
        ValueError, match=r"is no gallery: known are 'memory'; a folder; 'faiss:FOL"
    ):
        open_store(where, DIM, MODEL)


def test_files_are_refused(tmp_path):
    (tmp_path / 'crop.jpg').touch()
    with pytest.raises(ValueError, match=r'crop\.jpg is a file, but no gallery'):
        open_store(tmp_path / 'crop.jpg', DIM, MODEL)


def test_colons_in_names_of_folders(tmp_path):
    assert type(open_store(f'{tmp_path}/a:b', DIM, MODEL)) is MemoryStore
