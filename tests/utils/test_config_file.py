import inspect
import sys

import pytest

from passreid.utils.config_error import ConfigError
from passreid.utils.config_file import read_config


def test_bases_and_kinds(tmp_path):
    (tmp_path / 'base.py').write_text('a = dict(b=1, c=2)')
    (tmp_path / 'leaf.yaml').write_text('_base_: ./base.py\na: {b: 3, size: !!python/tuple [1, 2]}')
    assert read_config(tmp_path / 'leaf.yaml').a == {'b': 3, 'c': 2, 'size': (1, 2)}


@pytest.mark.parametrize(
    ('name', 'text', 'reason'),
    [
        ('a.py', 'a = (\n', 'SyntaxError'),
        ('a.py', 'a = 1 / 0', 'ZeroDivisionError: division by zero'),
        ('a.py', 'a = \0', 'null bytes'),
        ('a.json', '{"a": ', 'JSONDecodeError'),
        ('a.yaml', 'a: [', 'while parsing'),
        ('a.txt', 'a = 1', 'Only py/yml/yaml/json'),
    ],
)
def test_unreadable_file_is_named(tmp_path, name, text, reason):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=f'the config {path} cannot be read: .*{reason}'):
        read_config(path)


@pytest.fixture
def shallow_stack():
    """mmengine takes a second to climb the usual one."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 60)
    yield
    sys.setrecursionlimit(limit)


def test_inheritance_that_leads_back(tmp_path, shallow_stack):
    for name, base in (('a', 'b'), ('b', 'a'), ('own', 'own')):
        (tmp_path / f'{name}.py').write_text(f"_base_ = './{base}.py'")
        if base in ('a', 'own'):
            with pytest.raises(ConfigError, match=f'{name}.py .*it inherits from itself'):
                read_config(tmp_path / f'{name}.py')


def test_missing_base_is_named(tmp_path):
    (tmp_path / 'a.py').write_text("_base_ = './none.py'")
    with pytest.raises(FileNotFoundError, match=r'a\.py cannot be read: .*none\.py is not there'):
        read_config(tmp_path / 'a.py')


@pytest.mark.parametrize('name', ['a.yaml', 'a.yml', 'leaf.yaml'])
def test_nothing_in_yaml_is_run(tmp_path, name):
    trap = tmp_path / 'trap'
    (tmp_path / 'base.yml').write_text(f'a: !!python/object/apply:os.mkdir ["{trap}"]')
    text = '_base_: ./base.yml' if name == 'leaf.yaml' else (tmp_path / 'base.yml').read_text()
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=f'{name} cannot be read: ConstructorError'):
        read_config(tmp_path / name)
    assert not trap.exists()
