import pytest

from passreid.datasets.storage.image_files import list_images, scan_folder


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
