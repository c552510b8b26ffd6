import errno
import os
import resource
import signal
import stat
from contextlib import contextmanager

import pytest
import torch

from passreid.utils.atomic_file import atomic_file, save_atomically

CONTENT = {'weights': torch.arange(50_000.0), 'parts': [torch.ones(3)]}


@contextmanager
def file_limit(size):
    """Let this process write files of so many bytes only, that of the test's own output too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_is_saved_loads(tmp_path):
    path = tmp_path / 'new' / 'file.pth'
    save_atomically(CONTENT, path)
    loaded = torch.load(path, weights_only=True)
    assert torch.equal(loaded['weights'], CONTENT['weights'])
    assert os.listdir(path.parent) == ['file.pth']
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    with atomic_file(path) as file:
        file.write(b'new')
        file.flush()
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'


@pytest.mark.parametrize('size', [0, 100, 100_000, 200_000])
def test_full_disk(tmp_path, size):
    path = tmp_path / 'file.pth'
    path.write_text('old')
    with pytest.raises(OSError, match=r'file\.pth') as caught, file_limit(size):
        save_atomically(CONTENT, path)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file.pth']


def test_other_errors(tmp_path):
    with pytest.raises(Exception, match='local object'):
        save_atomically({'function': lambda: None}, tmp_path / 'file.pth')
    assert os.listdir(tmp_path) == []
    (tmp_path / 'taken').touch()
    with pytest.raises(OSError, match='taken/file.pth'):
        save_atomically(CONTENT, tmp_path / 'taken' / 'file.pth')
