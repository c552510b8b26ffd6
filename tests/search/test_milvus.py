import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from random_galleries import DIM, MODEL, NASTY, random_features, records

from passreid.search import GalleryRecord, MilvusStore, SearchFilter, milvus, open_store

# Importing it would close the log files of the process; milvus.py guards its own import.
if find_spec('pymilvus') is None:
    pytest.skip('needs pymilvus', allow_module_level=True)


@pytest.fixture(scope='module')
def database(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('milvus') / 'galleries.db')
    with MilvusStore(path, 1, 'none', 'unused'):
        yield path


def _client(database):
    """Open it as other programs do; the store of the fixture has imported the package."""
    from pymilvus import MilvusClient

    return MilvusClient(database)


@pytest.fixture
def store(database, request):
    name = ''.join(char if char.isalnum() else '_' for char in request.node.name)
    with MilvusStore(database, DIM, MODEL, name) as opened:
        yield opened


def test_more_than_goes_into_a_call(store, monkeypatch):
    for name, most in (('_MOST', 3), ('_BATCH', 4), ('_HITS_PER_CALL', 6)):
        monkeypatch.setattr(milvus, name, most)
    known = [GalleryRecord(text, stamp=text) for text in NASTY] + records(21)
    features = random_features(len(known))
    store.add(features, known)
    assert store.stamps() == {record.path: record.stamp for record in known}
    found = store.search(features, 3)
    assert [matches[0].record for matches in found] == known
    with pytest.raises(ValueError, match='already'):
        store.add(random_features(30), records(30, 19))
    store.update(random_features(30), records(30, 19))
    assert len(store) == 58 and store.delete(store.stamps()) == 58 and len(store) == 0


def test_paths_that_are_no_utf8_are_refused(store):
    with pytest.raises(ValueError, match=r'udcff\.jpg.*UTF-8'):
        store.add(random_features(1), [GalleryRecord('a\udcff.jpg')])


def test_another_index(database):
    making, search = dict(M=8, efConstruction=64), dict(ef=64)
    options = dict(index='HNSW', index_params=making, search_params=search)
    with MilvusStore(database, DIM, MODEL, 'with_HNSW', **options) as store:
        store.add(random_features(60), records(60))
        found = store.search(random_features(60), 1)
        assert [matches[0].record.path for matches in found] == sorted(store.stamps())


def test_values_are_those_that_other_programs_see(store, database):
    store.add(np.eye(DIM)[:1], [GalleryRecord('a.jpg', 3, None, dict(old=True), 's')])
    client = _client(database)
    entity = client.query(
        store.collection, filter='old == true and cam_id == 3', output_fields=['*']
    )[0]
    assert entity.pop('vector') == pytest.approx([1, *[0] * (DIM - 1)])
    assert entity == dict(path='a.jpg', cam_id=3, time=None, old=True, stamp='s')


def test_collection_of_others_is_refused(database):
    _client(database).create_collection('other', dimension=DIM)
    with pytest.raises(ValueError, match='collection other is no gallery'):
        MilvusStore(database, DIM, MODEL, 'other')


OTHER_PROCESS = """
import sys
from milvus_lite import MilvusLite
database = MilvusLite(sys.argv[1])
print(database.get_collection('passreid').num_entities, flush=True)
input()
"""


@pytest.mark.slow
def test_logs_of_others_stay_open(tmp_path):
    code = (
        'import logging, sys\n'
        'from passreid.search import MilvusStore\n'
        'handler = logging.FileHandler(sys.argv[1])\n'
        'MilvusStore(sys.argv[2], 2, "a model").close()\n'
        'handler.stream.write("still open")\n'
    )
    command = [sys.executable, '-c', code, str(tmp_path / 'run.log'), str(tmp_path / 'g.db')]
    subprocess.run(command, check=True, timeout=60)
    assert (tmp_path / 'run.log').read_text() == 'still open'


@pytest.mark.slow
def test_file_is_free_once_its_last_store_is_closed(tmp_path):
    path = tmp_path / 'new' / 'gallery.db'

    def open_elsewhere():
        command = [sys.executable, '-c', OTHER_PROCESS, str(path)]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return subprocess.Popen(command, text=True, **pipes)

    first, second = MilvusStore(path, DIM, MODEL), MilvusStore(path, DIM, MODEL)
    first.add(random_features(3), records(3))
    first.close()
    first.close()
    assert len(second) == 3
    assert 'another process holds the lock' in open_elsewhere().communicate(timeout=60)[1]
    second.close()
    other = open_elsewhere()
    assert other.stdout.readline() == '3\n'
    with pytest.raises(ConnectionError, match=r'gallery\.db'):
        MilvusStore(path)
    other.communicate('\n', timeout=60)
    with open_store(path) as third:
        assert len(third) == 3


def test_server(tmp_path):
    """The same code, by address; the server is that of milvus-lite."""
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    server, database, port = start_server_in_thread(str(tmp_path / 'served'), '127.0.0.1', 0)
    try:
        uri = f'http://127.0.0.1:{port}'
        with open_store(uri, DIM, MODEL) as store, open_store(uri) as other:
            store.add(random_features(9), records(9))
            where = SearchFilter(not_cameras=[0], fields=dict(old=False))
            expected = store.search(random_features(2), 5, where)
            assert other.search(random_features(2), 5, where) == expected
            assert other.delete(['0001.jpg']) == 1 and len(store) == 8
        # Who closes a connection leaves the server as it is.
        with open_store(uri) as again:
            assert len(again) == 8
    finally:
        server.stop(grace=0)
        database.close()


def test_server_that_does_not_answer_and_passwords():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        address = f'127.0.0.1:{server.getsockname()[1]}'
        start = time.monotonic()
        with pytest.raises(ConnectionError, match=f'http://{address}') as caught:
            open_store(f'http://anna:secret@{address}', DIM, MODEL, timeout=0.5)
    assert time.monotonic() - start < 5
    assert 'secret' not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / 'crop.db').write_text('something else')
    with pytest.raises(ConnectionError, match=r'crop\.db'):
        open_store(tmp_path / 'crop.db', DIM, MODEL)


def test_token_of_the_environment(monkeypatch):
    tokens = []

    def connect(where, uri, token, timeout):
        tokens.append((token, timeout))
        raise ConnectionError

    monkeypatch.setattr(milvus, '_connect', connect)
    monkeypatch.setenv('MILVUS_TOKEN', 'of the environment')
    for options in ({}, dict(token='mine', timeout=3)):
        with pytest.raises(ConnectionError):
            MilvusStore('http://milvus', DIM, MODEL, **options)
    assert tokens == [('of the environment', 10), ('mine', 3)]
