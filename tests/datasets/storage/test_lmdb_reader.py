import os
import pickle

import lmdb
import pytest
from torch import multiprocessing

from passreid.datasets.storage.bad_images import BadImageError
from passreid.datasets.storage.lmdb_reader import LMDBReader


@pytest.fixture
def path(tmp_path):
    with (
        lmdb.open(str(tmp_path), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b'a', b'first')
        transaction.put(b'b', b'second')
    return str(tmp_path)


def test_values(path):
    reader = LMDBReader(path)
    assert (reader.get('a'), reader.get('b')) == (b'first', b'second')


def test_two_readers_share_what_may_be_opened_once(path, tmp_path_factory):
    link = tmp_path_factory.mktemp('links') / 'same'
    link.symlink_to(path)
    assert LMDBReader(path).get('a') == LMDBReader(str(link)).get('a') == b'first'


@pytest.mark.parametrize('key', ['c', 'k' * 600])
def test_missing_key_is_a_bad_image(path, key):
    with pytest.raises(BadImageError, match=f'^bad image {key}: {path} has no such key$'):
        LMDBReader(path).get(key)


def test_unreadable_value_is_a_bad_image(path):
    with pytest.raises(BadImageError, match=f'{path} cannot be read: .*mdb_get'):
        LMDBReader(path).get('')


def test_reads_before_and_after_a_fork(path):
    reader = LMDBReader(path)
    assert reader.get('a') == b'first'

    def read():
        os._exit(0 if reader.get('b') == b'second' else 1)

    child = multiprocessing.get_context('fork').Process(target=read)
    child.start()
    child.join(30)
    assert child.exitcode == 0
    # The parent's is still whole.
    assert reader.get('b') == b'second'


def test_pickled_by_path(path):
    reader = LMDBReader(path)
    reader.get('a')
    assert pickle.loads(pickle.dumps(reader)).get('b') == b'second'


def test_missing_folder_is_an_error_not_a_bad_image(tmp_path):
    with pytest.raises(lmdb.Error, match='none'):
        LMDBReader(str(tmp_path / 'none')).get('a')


@pytest.mark.parametrize('length', [0, 10, 4096, 8192, -1])
def test_file_that_was_not_copied_to_its_end(path, length):
    file = os.path.join(path, 'data.mdb')
    os.truncate(file, length if length >= 0 else os.path.getsize(file) + length)
    with pytest.raises(ValueError, match=f'{file} .*was not copied to its end'):
        LMDBReader(path).get('a')


def test_key_that_is_no_utf8_is_a_bad_image(path):
    with pytest.raises(BadImageError, match='has no such key'):
        LMDBReader(path).get('\udcff')
