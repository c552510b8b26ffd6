"""Config files that cannot be read are named."""

import pytest

from passreid.apis import build_runner

FILES = {
    'syntax.py': 'a = (',
    'error.py': 'a = 1 / 0',
    'import.py': 'import no_such_module',
    'base.py': "_base_ = './none.py'",
    'open.json': '{"a"',
    'empty.py': '',
}


@pytest.mark.parametrize('name', FILES)
def test_broken_files_are_named(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    with pytest.raises(Exception, match=name):
        build_runner(tmp_path / name)
