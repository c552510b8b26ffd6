import pytest

from passreid.datasets.storage.image_files import is_image_name, list_images


@pytest.mark.parametrize('name', ['a.jpg', 'A.JPEG', 'a b.Png', '#.bmp', 'x.tiff', 'a.tar.webp'])
def test_images(name):
    assert is_image_name(name)


@pytest.mark.parametrize('name', ['Thumbs.db', '._a.jpg', 'jpg', 'a.jpg.txt', 'a.npy', '.jpg'])
def test_others(name):
    assert not is_image_name(name)


def test_listing_is_sorted(tmp_path):
    for name in ('b.jpg', 'a.png', 'B.jpg', 'readme.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'folder').mkdir()
    assert list_images(str(tmp_path)) == ['B.jpg', 'a.png', 'b.jpg']


def test_other_pictures_are_counted_and_logged(tmp_path, log):
    for name in ('a.jpg', 'b.GIF', 'c.heic', 'Thumbs.db', '.d.gif', 'e.txt'):
        (tmp_path / name).touch()
    assert list_images(str(tmp_path)) == ['a.jpg']
    assert f'2 pictures in {tmp_path} are left out' in log()
    assert '.tiff: b.GIF, c.heic' in log()
