import os

import pytest

from passreid.datasets.storage import folder_scan
from passreid.datasets.storage.folder_scan import FolderScan


@pytest.fixture
def root(tmp_path):
    for name in ('b/2.jpg', 'b/1.jpg', 'a/deep/3.png', 'c.jpg', 'notes.txt', '.cache/4.jpg'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_images_of_all_folders_in_order(root):
    scan = FolderScan(str(root))
    assert list(scan) == ['a/deep/3.png', 'b/1.jpg', 'b/2.jpg', 'c.jpg']
    assert set(scan.stamps) == {'', 'a', 'a/deep', 'b'}
    assert scan.is_fresh(scan.stamps)


def test_loops_end_and_are_reported(root, log):
    (root / 'a' / 'loop').symlink_to(root)
    (root / 'd').symlink_to(root / 'b')
    assert list(FolderScan(str(root))) == ['a/deep/3.png', 'b/1.jpg', 'b/2.jpg', 'c.jpg']
    for link in ('a/loop', 'd'):
        assert f'{root / link} leads to a folder that was read already: left out' in log()


def test_links_are_followed(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    (elsewhere / '5.jpg').touch()
    (root / 'd').symlink_to(elsewhere)
    (root / 'e.jpg').symlink_to(elsewhere / '5.jpg')
    scan = FolderScan(str(root))
    assert list(scan)[-2:] == ['d/5.jpg', 'e.jpg']
    os.utime(elsewhere, ns=(1, 1))
    assert not scan.is_fresh(scan.stamps)


@pytest.mark.parametrize(
    'change',
    [
        lambda root: (root / 'a' / 'deep' / 'new.jpg').touch(),
        lambda root: (root / 'b' / '1.jpg').unlink(),
        lambda root: (root / 'b' / '1.jpg').rename(root / 'b' / '9.jpg'),
        lambda root: (root / 'a' / 'new').mkdir(),
        lambda root: (root / 'b').rename(root / 'z'),
    ],
    ids=['added', 'removed', 'renamed', 'folder added', 'folder renamed'],
)
def test_changes_make_it_stale(root, change):
    for folder in ('', 'a', 'a/deep', 'b'):
        os.utime(root / folder, ns=(1, 1))
    scan = FolderScan(str(root))
    list(scan)
    change(root)
    assert not scan.is_fresh(scan.stamps)


def test_progress_is_logged(root, log, monkeypatch):
    monkeypatch.setattr(folder_scan, 'PROGRESS_EVERY', 2)
    list(FolderScan(str(root)))
    assert f'2 images found in {root} so far' in log()
    assert f'4 images found in {root} so far' in log()


def test_unreadable_folder_is_an_error(root, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith('deep'):
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(PermissionError, match='deep'):
        list(FolderScan(str(root)))


def test_link_to_itself_is_found_as_an_image(tmp_path):
    (tmp_path / 'a.jpg').symlink_to('a.jpg')
    (tmp_path / 'b').symlink_to('b')
    assert list(FolderScan(str(tmp_path))) == ['a.jpg']


def test_other_pictures_are_counted_and_logged(tmp_path, log):
    (tmp_path / 'a').mkdir()
    for name in ('a/1.gif', 'a/2.heic', 'b.jpg'):
        (tmp_path / name).touch()
    assert list(FolderScan(str(tmp_path))) == ['b.jpg']
    assert f'2 pictures in {tmp_path}/a are left out' in log()
