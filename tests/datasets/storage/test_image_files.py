import os
import pickle

import pytest

from passreid.datasets.storage.image_files import (
    list_images,
    read_keys,
    read_labelled_list,
    read_path_list,
    scan_folder,
)


@pytest.fixture
def root(tmp_path):
    for name in ('b/2.jpg', 'b/1.jpg', 'a/deep/3.png', 'c.jpg', 'notes.txt', '.cache/4.jpg'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_listing_is_sorted_and_of_images(tmp_path):
    images = ['#.bmp', 'A b.JPEG', 'B.jpg', 'a.png', 'a.tar.webp', 'b.jpg', 'x.tiff']
    for name in [*images, 'Thumbs.db', '._a.jpg', 'jpg', 'a.jpg.txt', '.jpg']:
        (tmp_path / name).touch()
    (tmp_path / 'folder').mkdir()
    assert list_images(str(tmp_path)) == images


def test_images_of_all_folders_in_order(root):
    stamps = {}
    assert list(scan_folder(str(root), stamps)) == ['a/deep/3.png', 'b/1.jpg', 'b/2.jpg', 'c.jpg']
    assert set(stamps) == {str(root / folder) for folder in ('', 'a', 'a/deep', 'b')}


def test_links_are_followed_and_loops_end(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    (elsewhere / '5.jpg').touch()
    (root / 'a' / 'loop').symlink_to(root)
    (root / 'd').symlink_to(elsewhere)
    (root / 'e.jpg').symlink_to(elsewhere / '5.jpg')
    (root / 'f').symlink_to(root / 'b')
    expected = ['a/deep/3.png', 'b/1.jpg', 'b/2.jpg', 'c.jpg', 'd/5.jpg', 'e.jpg']
    assert list(scan_folder(str(root))) == expected


@pytest.mark.parametrize('find', [list_images, lambda folder: list(scan_folder(folder))])
def test_other_pictures_are_counted_and_logged(tmp_path, log, find):
    for name in ('a.jpg', 'b.GIF', 'c.heic', 'Thumbs.db', '.d.gif', 'e.txt'):
        (tmp_path / name).touch()
    assert find(str(tmp_path)) == ['a.jpg']
    assert f'2 pictures in {tmp_path} are left out' in log()
    assert 'b.GIF, c.heic' in log()


@pytest.mark.parametrize('protocol', range(6))
def test_keys(tmp_path, protocol):
    path, keys = tmp_path / 'keys.pkl', ['01_02_0003_00000004', 'rrrrrrrr']
    for content in (keys, {'keys': keys, 'pids': [7, 8]}):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert read_keys(str(path)) == keys
    # Nothing is imported, so nothing is run.
    path.write_bytes(pickle.dumps({'keys': keys, 'pids': [os.getcwd]}, protocol=protocol))
    with pytest.raises(ValueError, match=r'keys\.pkl.*posix\.getcwd'):
        read_keys(str(path))


def test_path_list(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('\ufeffa/1.jpg\r\n#2.png\n\nb c/ü.JPG\na..b/..c.jpg', newline='')
    assert list(read_path_list(str(path))) == ['a/1.jpg', '#2.png', 'b c/ü.JPG', 'a..b/..c.jpg']
    path.write_text('good.jpg\n\n../secret.jpg\n')
    with pytest.raises(ValueError, match=f'line 3 of {path}'):
        list(read_path_list(str(path)))


def test_labelled_list(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('\n\tŁódź/a b.jpg\t-1\r\n'.encode() + b'\xff.jpg   0017')
    first, second = read_labelled_list(str(path))
    assert first == (f'line 2 of {path}', 'Łódź/a b.jpg', -1)
    assert (os.fsencode(second[1]), second[2]) == (b'\xff.jpg', 17)
    path.write_text('a.jpg 0\nb.jpg x')
    with pytest.raises(ValueError, match=f'line 2 of {path}'):
        list(read_labelled_list(str(path)))
