import pytest

from passreid.utils.cache_folder import cache_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_in_the_cache_folder_of_the_user(tmp_path, home):
    root = tmp_path / ('images' * 40)
    root.mkdir()
    (tmp_path / 'link').symlink_to(root)
    folder = cache_folder(root)
    assert folder.is_dir() and folder.parent == home / 'passreid'
    assert cache_folder(str(tmp_path / 'link')) == folder != cache_folder(tmp_path)
    assert not list(root.iterdir())
