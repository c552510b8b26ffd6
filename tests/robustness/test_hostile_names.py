"""Names of strangers act on no page, list or terminal to which they are written."""

import csv
import html.parser
import json
import os
import runpy
import sys

import pytest
from processes import ROOT
from tiny_models import save_weights
from tiny_runs import quick_start

NAMES = [
    '"><script>alert(1)<script>.jpg',
    '<img src=x onerror=alert(1)>.jpg',
    '\x1b]0;owned\x07\x1b[2J\x1b[31m.jpg',
    'a\r\nb\n.jpg',
    '\u202egpj.exe.jpg',
    os.fsdecode(b'\xff\xfe\x80.jpg'),
    '=HYPERLINK("http:x";"y").jpg',
    '$\\undefined{$.jpg',
    '%s%n{0}{__class__}.jpg',
    '--help.jpg',
    'a,"b",\'c\'.jpg',
    'x' * 250 + '.jpg',
    '🚶‍♀️.jpg',
]


class Tags(html.parser.HTMLParser):
    """Collects the tags of a page with the names of their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, tuple(name for name, _ in attrs)))


@pytest.fixture(scope='module')
def config(tiny_run):
    run = tiny_run('fine-tuning')
    save_weights(run.cfg, run.folder / 'reid.pth')
    return run.folder / run.write(), run.folder / 'reid.pth'


@pytest.fixture
def crops(folder, tmp_path):
    """Crops of every strange name, sound and torn, and of plain ones."""
    sound = sorted((folder / 'people').rglob('*.jpg'))
    for number, path in enumerate(sound):
        names = [f'{number}.jpg']
        if number < len(NAMES):
            names += [f'sound/{NAMES[number]}', f'torn/{NAMES[number]}']
        for name in names:
            file = tmp_path / 'crops' / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b'' if name.startswith('torn') else path.read_bytes())
    return tmp_path / 'crops'


@pytest.fixture
def tool(monkeypatch, capfd):
    """Run a program; what it prints must act on no terminal."""

    def call(name, *words):
        path = ROOT / 'tools' / f'{name}.py'
        monkeypatch.syspath_prepend(str(path.parent))
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, words)])
        with quick_start():
            runpy.run_path(str(path), run_name='__main__')
        text = capfd.readouterr().out
        assert all(character.isprintable() or character in '\n\t' for character in text)
        return text

    return call


def test_sorting_a_folder(config, crops, tmp_path, tool):
    out = tmp_path / 'out'
    settings = '--k1', 5, '--k2', 2, '--min-samples', 2, '--work-dir', tmp_path / 'log'
    tool('cluster_gallery', *config, crops, '--out', out, *settings)
    with open(out / 'clusters.csv', encoding='utf-8', errors='surrogateescape', newline='') as file:
        rows = list(csv.reader(file))[1:]
    assert {os.path.normpath(name) for name, _ in rows} == {
        str(path.relative_to(crops)) for path in crops.rglob('*.jpg')
    }
    # Programs for tables would compute these.
    assert not any(name.startswith(('=', '+', '@', '-')) for name, _ in rows)
    assert {path.suffix for path in out.iterdir()} == {'.csv', '.png'}


def test_searching_a_folder(config, crops, tmp_path, tool):
    store = tmp_path / 'store'
    tool('search_gallery', 'index', *config, crops, '--store', store)
    pages = []
    for queries in (crops / 'sound', crops / '0.jpg'):
        outputs = '--out', tmp_path / 'page.html', '--json', tmp_path / 'found.json'
        tool('search_gallery', 'query', *config, queries, '--store', store, *outputs)
        pages.append(Tags((tmp_path / 'page.html').read_text()).found)
        if queries.is_dir():
            assert len(json.loads((tmp_path / 'found.json').read_text())) == len(NAMES)
    # Whatever the names, the page has the same elements with the same attributes.
    assert pages[0] == pages[1]


def test_verifying_a_folder(crops, tmp_path, tool):
    dataset = dict(type='passreid.LUPerson', data_root=str(crops))
    (tmp_path / 'config.py').write_text(f'train_dataloader = dict(dataset={dataset})')
    options = '--out', tmp_path / 'found.json', '--num-workers', 0
    with pytest.raises(SystemExit, match='1'):
        tool('misc/verify_dataset', tmp_path / 'config.py', *options)
    unreadable = json.loads((tmp_path / 'found.json').read_text())['datasets'][0]['unreadable']
    assert unreadable.keys() == {str(crops / 'torn' / name) for name in NAMES}
