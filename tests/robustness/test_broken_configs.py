"""What a user meets who mistypes a config."""

import pytest

from passreid.apis import build_runner

FILES = {
    'syntax.py': 'a = (',
    'error.py': 'a = 1 / 0',
    'import.py': 'import no_such_module',
    'base.py': "_base_ = './none.py'",
    'open.json': '{"a"',
    'code.yaml': '!!python/object/apply:os.mkdir ["TRAP"]',
    'empty.py': '',
}


@pytest.mark.parametrize('name', FILES)
def test_broken_files_are_named(tmp_path, name):
    (tmp_path / name).write_text(FILES[name].replace('TRAP', str(tmp_path / 'trap')))
    with pytest.raises(Exception, match=name):
        build_runner(tmp_path / name)
    assert not (tmp_path / 'trap').exists()


@pytest.mark.parametrize(
    ('entry', 'meant'),
    [('trian_dataloader', 'train_dataloader'), ('load_form', 'load_from'), ('resmue', 'resume')],
)
def test_misspelt_entries_are_named(tiny_run, entry, meant):
    cfg = tiny_run('fine-tuning').cfg
    cfg[entry] = {}
    with pytest.raises(ValueError, match=f"{entry}.*'{meant}'"):
        build_runner(cfg)
