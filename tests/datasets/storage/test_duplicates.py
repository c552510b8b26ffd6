import os
import shutil

from passreid.datasets import FolderReID
from passreid.datasets.storage.image_files import find_duplicates


def test_equal_content_of_several_persons(tmp_path):
    contents = [b'aa', b'ab', b'aa', b'ccc', b'aa', b'ab', b'ddd', b'ccc', b'', b'']
    paths = [str(tmp_path / f'{number}.jpg') for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        with open(path, 'wb') as file:
            file.write(content)
    # What cannot be read, or is empty, is no duplicate.
    os.mkfifo(tmp_path / 'pipe.jpg')
    paths += [str(tmp_path / 'pipe.jpg'), str(tmp_path / 'none.jpg')]
    pids = [1, 2, 1, 3, 4, 2, 5, 6, 7, 8, 9, 10]
    assert find_duplicates(paths, pids) == [[0, 2, 4], [3, 7]]


def test_duplicates_are_counted_and_named_and_stay(tmp_path, write_images, log):
    write_images(tmp_path, ['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'c/1.jpg'])
    shutil.copy(tmp_path / 'a' / '1.jpg', tmp_path / 'b' / 'copy.jpg')
    shutil.copy(tmp_path / 'a' / '2.jpg', tmp_path / 'a' / 'copy.jpg')
    FolderReID(str(tmp_path), pid_from='folder', check_duplicates=False)
    assert 'byte for byte' not in log()
    for _ in range(2):
        assert len(FolderReID(str(tmp_path), pid_from='folder')) == 6
    (line,) = [line for line in log().splitlines() if 'byte for byte' in line]
    assert '1 pictures' in line and f'{tmp_path}/a/1.jpg' in line and '/b/copy.jpg' in line
