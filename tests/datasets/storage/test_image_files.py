import os
import shutil

from passreid.datasets import FolderReID
from passreid.datasets.storage.image_files import (
    list_images,
    read_labelled_list,
    read_path_list,
    scan_folder,
)


def test_listing_is_sorted_and_of_images(tmp_path):
    images = ['#.bmp', 'A b.JPEG', 'B.jpg', 'a.png', 'a.tar.webp', 'b.jpg', 'x.tiff']
    for name in [*images, 'Thumbs.db', '._a.jpg', 'jpg', 'a.jpg.txt', '.jpg']:
        (tmp_path / name).touch()
    (tmp_path / 'folder').mkdir()
    assert list_images(str(tmp_path)) == images


def test_all_folders_in_order_links_too(tmp_path, write_images):
    names = ['b/2.jpg', 'b/1.jpg', 'a/deep/3.png', 'c.jpg', '.cache/4.jpg']
    root = write_images(tmp_path / 'root', names)
    elsewhere = write_images(tmp_path / 'elsewhere', ['5.jpg'])
    (root / 'a' / 'loop').symlink_to(root)
    (root / 'd').symlink_to(elsewhere)
    (root / 'e.jpg').symlink_to(elsewhere / '5.jpg')
    (root / 'f').symlink_to(root / 'b')
    expected = ['a/deep/3.png', 'b/1.jpg', 'b/2.jpg', 'c.jpg', 'd/5.jpg', 'e.jpg']
    stamps = {}
    assert list(scan_folder(str(root), stamps)) == expected
    assert set(stamps) == {str(root / folder) for folder in ('', 'a', 'a/deep', 'b', 'd')}


def test_other_pictures_are_counted_and_logged(tmp_path, log):
    for name in ('a.jpg', 'b.GIF', 'c.heic', 'Thumbs.db', '.d.gif', 'e.txt'):
        (tmp_path / name).touch()
    assert list_images(str(tmp_path)) == list(scan_folder(str(tmp_path))) == ['a.jpg']
    assert f'2 pictures in {tmp_path} are left out' in log() and 'b.GIF, c.heic' in log()


def test_lists(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a/1.jpg\n#2.png\nb c/ü.JPG\na..b/..c.jpg')
    assert list(read_path_list(str(path))) == ['a/1.jpg', '#2.png', 'b c/ü.JPG', 'a..b/..c.jpg']
    path.write_bytes('\n\tŁódź/a b.jpg\t-1\r\n'.encode() + b'\xff.jpg   0017')
    first, second = read_labelled_list(str(path))
    assert first == (f'line 2 of {path}', 'Łódź/a b.jpg', -1)
    assert (os.fsencode(second[1]), second[2]) == (b'\xff.jpg', 17)


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
