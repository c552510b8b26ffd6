import pytest

from passreid.utils import config_path, configs


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder without configs, whose parent holds someone else's."""
    folder = tmp_path / 'site' / 'passreid'
    folder.mkdir(parents=True)
    (tmp_path / 'site' / 'configs').mkdir()
    monkeypatch.setattr(configs, '__file__', str(folder / 'utils' / 'configs.py'))
    return folder


def test_config_is_found():
    assert config_path('pass/pass_vit-s16_lup.py').read_text().startswith('#')
    assert (config_path() / '_base_' / 'default_runtime.py').is_file()


def test_wheel_holds_its_own(package):
    config = package / '.mim' / 'configs' / 'pass' / 'mine.py'
    config.parent.mkdir(parents=True)
    config.touch()
    (package / '.mim' / 'configs' / '_base_').mkdir()
    assert config_path('pass/mine.py') == config


def test_unknown_config_is_named_with_the_known():
    with pytest.raises(FileNotFoundError, match=r"'pass/none\.py'.*pass/pass_vit-s16_lup\.py"):
        config_path('pass/none.py')


def test_configs_of_others_are_left_alone(package):
    with pytest.raises(FileNotFoundError, match='passreid has no configs in'):
        config_path()
