from pathlib import Path

import pytest

from passreid.utils.cache_folder import cache_folder, source_digest


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_beside_the_images(tmp_path, home):
    root = tmp_path / 'images'
    root.mkdir()
    folder = cache_folder(root)
    assert folder == root / '.passreid_cache'
    assert folder.is_dir()
    assert cache_folder(str(root)) == folder
    assert not home.exists()


def test_elsewhere_when_the_images_cannot_be_written_to(tmp_path, home):
    root = tmp_path / 'images'
    root.mkdir()
    (root / '.passreid_cache').touch()
    assert cache_folder(root) == home / 'passreid'
    assert (home / 'passreid').is_dir()


def test_in_the_home_folder_without_xdg(tmp_path, monkeypatch):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(Path, 'home', lambda: tmp_path)
    assert cache_folder(tmp_path / 'gone') == tmp_path / '.cache' / 'passreid'


def test_digest_is_of_the_place_and_not_of_the_way(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'images')
    digest = source_digest(tmp_path / 'images')
    assert source_digest(tmp_path / 'link') == digest != source_digest(tmp_path)
    assert len(digest) == 16
