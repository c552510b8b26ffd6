import os

import lmdb
import pytest
from torch import multiprocessing

from passreid.datasets.storage.lmdb_reader import read_lmdb


@pytest.fixture
def path(tmp_path):
    with (
        lmdb.open(str(tmp_path), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.put(b'a', b'first')
        transaction.put(b'b', b'second')
    return str(tmp_path)


def test_reads_before_and_after_a_fork(path):
    assert read_lmdb(path, 'a') == b'first'
    child = multiprocessing.get_context('fork').Process(
        target=lambda: os._exit(0 if read_lmdb(path, 'b') == b'second' else 1)
    )
    child.start()
    child.join(30)
    assert child.exitcode == 0
    # The parent's is still whole.
    assert read_lmdb(path, 'b') == b'second'


def test_file_that_was_not_copied_to_its_end(path):
    file = os.path.join(path, 'data.mdb')
    os.truncate(file, os.path.getsize(file) - 1)
    with pytest.raises(ValueError, match=f'{file} .*was not copied to its end'):
        read_lmdb(path, 'a')
