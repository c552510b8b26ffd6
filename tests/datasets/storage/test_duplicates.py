import os
import shutil
from pathlib import Path

import pytest

from passreid.datasets import FolderReID, Market1501
from passreid.datasets.storage.duplicates import find_duplicates


def files(folder, contents):
    paths = [folder / f'{number}.jpg' for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths]


def test_equal_content_of_several_persons(tmp_path):
    paths = files(tmp_path, [b'aa', b'ab', b'aa', b'ccc', b'aa', b'ab', b'ddd', b'ccc'])
    pids = [1, 2, 1, 3, 4, 2, 5, 6]
    assert find_duplicates(paths, pids) == [[0, 2, 4], [3, 7]]


def test_only_files_of_one_size_and_several_persons_are_read(tmp_path, monkeypatch):
    paths = files(tmp_path, [b'aa', b'bb', b'ccc', b'dddd', b'ddee'])
    read = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, 'read_bytes', lambda p: read.append(str(p)) or read_bytes(p))
    assert find_duplicates(paths, [1, 1, 2, 3, 4]) == []
    assert read == paths[3:]


def test_what_cannot_be_read_or_is_empty_is_no_duplicate(tmp_path):
    paths = files(tmp_path, [b'', b'', b'a'])
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'dangling.jpg').symlink_to(tmp_path / 'none')
    paths += [str(tmp_path / name) for name in ('pipe.jpg', 'dangling.jpg', 'none.jpg')]
    assert find_duplicates(paths, range(len(paths))) == []


@pytest.fixture
def twice(tmp_path, write_images):
    write_images(tmp_path, ['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'c/1.jpg'])
    shutil.copy(tmp_path / 'a' / '1.jpg', tmp_path / 'b' / 'copy.jpg')
    shutil.copy(tmp_path / 'a' / '2.jpg', tmp_path / 'a' / 'copy.jpg')
    return tmp_path


def test_duplicates_are_counted_and_named_and_stay(twice, log):
    FolderReID(str(twice), pid_from='folder', check_duplicates=False)
    assert 'byte for byte' not in log()
    for _ in range(2):
        assert len(FolderReID(str(twice), pid_from='folder')) == 6
    (line,) = [line for line in log().splitlines() if 'byte for byte' in line]
    assert '1 pictures' in line and 'in 2 files; all are kept' in line
    assert f'{twice}/a/1.jpg (id ' in line and f' = {twice}/b/copy.jpg (id ' in line


def test_query_and_gallery_are_looked_at_together(tmp_path, write_images, log):
    write_images(tmp_path, ['query/0001_c1.jpg', 'bounding_box_test/0001_c2.jpg'])
    shutil.copy(tmp_path / 'query/0001_c1.jpg', tmp_path / 'bounding_box_test/0002_c2.jpg')
    shutil.copy(tmp_path / 'query/0001_c1.jpg', tmp_path / 'bounding_box_test/-1_c2.jpg')
    Market1501(str(tmp_path), 'test')
    assert '0001_c1.jpg (id 1) = ' in log()


def test_other_processes_do_not_look(twice, log, monkeypatch):
    name = 'passreid.datasets.storage.duplicates.is_main_process'
    monkeypatch.setattr(name, lambda: False)
    FolderReID(str(twice), pid_from='folder')
    assert 'byte for byte' not in log()
