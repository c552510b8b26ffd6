"""Names of strangers in what is written: pages, pictures, lists, tables, terminals."""

import csv
import html.parser
import json
import os
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hostile_images import encode, plain
from tiny_models import save_weights
from tiny_runs import quick_start, reid_config, write_people

from passreid import ReIDInferencer
from passreid.search import GalleryRecord, Match
from passreid.visualization import QueryResult, draw_contact_sheet, match_page, png_bytes

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]
NAMES = {
    'script': '"><script>alert(1)<script>.jpg',
    'event': "' onerror='alert(1)' x='.jpg",
    'tag': '<img src=x onerror=alert(1)>.jpg',
    'entity': '&lt;b&gt;&#0;.jpg',
    'end of the style': '<style>*{display:none}.jpg',
    'comment': '<!-- .jpg',
    'terminal codes': '\x1b]0;owned\x07\x1b[2J\x1b[31m.jpg',
    'line breaks': 'a\r\nb\n.jpg',
    'right to left': '\u202egpj.exe.jpg',
    'no UTF-8': os.fsdecode(b'\xff\xfe\x80.jpg'),
    'formula': '=HYPERLINK("http:x";"y").jpg',
    'formula with a sign': '+1+1.jpg',
    'formula of functions': '@SUM(1).jpg',
    'mathematics': '$\\frac{1}{0}$.jpg',
    'broken mathematics': '$\\undefined{$.jpg',
    'formats': '%s%n{0}{__class__}.jpg',
    'option': '--help.jpg',
    'home': '~.jpg',
    'commas and quotes': 'a,"b",\'c\'.jpg',
    'long': 'x' * 250 + '.jpg',
    'emoji': '🚶‍♀️.jpg',
}


class Elements(html.parser.HTMLParser):
    """Collects the tags of a page and the names of their attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))


def elements(page):
    parser = Elements()
    parser.feed(page)
    return parser.found


@pytest.mark.parametrize('name', NAMES.values(), ids=NAMES)
def test_pages(tmp_path, tried, name):
    def page(file):
        path = tmp_path / file
        path.write_bytes(encode(plain(), 'JPEG'))
        record = GalleryRecord(str(path), 3, 1.0, {'note': file})
        return match_page([QueryResult(str(path), [Match(record, 0.5)])], [file])

    strange = page(name)
    # Whatever the name, the page has the same elements with the same attributes.
    assert elements(strange) == elements(page('plain.jpg'))
    strange.encode()
    tried(AREA, 'names in HTML pages', 'only text')


@pytest.mark.parametrize('name', NAMES.values(), ids=NAMES)
def test_contact_sheets(tried, name):
    figure = draw_contact_sheet([np.zeros((16, 8, 3), np.uint8)], name, [name])
    assert png_bytes(figure).startswith(b'\x89PNG')
    tried(AREA, 'names in pictures', 'drawn')


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """A config, weights, and crops of every strange name: sound ones and, below, torn ones."""
    folder = tmp_path_factory.mktemp('world')
    cfg = reid_config(ROOT, write_people(folder / 'people'), folder / 'run')
    cfg.dump(folder / 'reid.py')
    save_weights(cfg, folder / 'reid.pth')
    sound = sorted((folder / 'people').rglob('*.jpg'))
    for number, name in enumerate(NAMES.values()):
        for place, data in (('sound', sound[number].read_bytes()), ('torn', b'')):
            path = folder / 'crops' / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for number, path in enumerate(sound):
        (folder / 'crops' / f'{number}.jpg').write_bytes(path.read_bytes())
    return folder


def run_tool(name, monkeypatch, *words):
    path = ROOT / 'tools' / f'{name}.py'
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, words)])
    try:
        with quick_start():
            runpy.run_path(str(path), run_name='__main__')
    except SystemExit as end:
        return end.code
    return 0


def lines_are_harmless(text):
    return all(character.isprintable() or character in '\n\t' for character in text)


def test_sorting_a_folder(world, tmp_path, tried, monkeypatch, capfd):
    out = tmp_path / 'out'
    before = sorted(world.rglob('*'))
    run_tool(
        'cluster_gallery',
        monkeypatch,
        *(world / 'reid.py', world / 'reid.pth', world / 'crops', '--out', out),
        *('--k1', 5, '--k2', 2, '--min-samples', 2, '--work-dir', tmp_path / 'log'),
    )
    text = capfd.readouterr().out
    assert 'Not read' in text
    assert lines_are_harmless(text)
    with (out / 'clusters.csv').open(
        encoding='utf-8', errors='surrogateescape', newline=''
    ) as file:
        rows = list(csv.reader(file))[1:]
    found = {os.path.normpath(name): int(cluster) for name, cluster in rows}
    crops = {str(p.relative_to(world / 'crops')) for p in (world / 'crops').rglob('*.jpg')}
    assert found.keys() == crops
    assert all(found[f'torn/{name}'] == -1 for name in NAMES.values())
    assert not any(name.startswith(('=', '+', '@', '-')) for name, _ in rows)
    written = {path.name for path in out.iterdir()}
    assert all(name == 'clusters.csv' or name.endswith('.png') for name in written)
    new = [path for path in sorted(world.rglob('*')) if path not in before]
    assert all('.passreid_cache' in path.parts for path in new)
    tried(AREA, 'names in lists and logs of cluster_gallery', 'all listed, no codes', len(crops))


def test_searching_a_folder(world, tmp_path, tried, monkeypatch, capfd):
    places = world / 'reid.py', world / 'reid.pth'
    store = tmp_path / 'store'
    run_tool('search_gallery', monkeypatch, 'index', *places, world / 'crops', '--store', store)
    text = capfd.readouterr().out
    assert 'Unreadable' in text
    assert lines_are_harmless(text)
    page, listed = tmp_path / 'page.html', tmp_path / 'found.json'
    run_tool(
        'search_gallery',
        monkeypatch,
        *('query', *places, world / 'crops' / 'sound', '--store', store),
        *('--out', page, '--json', listed, '--topk', 30),
    )
    assert lines_are_harmless(capfd.readouterr().out)
    assert not {tag for tag, _ in elements(page.read_text())} & {'script', 'iframe', 'object'}
    found = json.loads(listed.read_text())
    assert len(found) == len(NAMES)
    tried(AREA, 'names in pages, lists, terminals of search_gallery', 'only text', len(NAMES))


def test_verifying_a_folder(world, tmp_path, tried, monkeypatch, capfd):
    dataset = dict(type='passreid.LUPerson', data_root=str(world / 'crops'))
    config = tmp_path / 'config.py'
    config.write_text(f'train_dataloader = dict(dataset={dataset})')
    out = tmp_path / 'found.json'
    path = 'misc/verify_dataset'
    assert run_tool(path, monkeypatch, config, '--out', out, '--num-workers', 0) == 1
    assert lines_are_harmless(capfd.readouterr().out)
    found = json.loads(out.read_text())['datasets'][0]['unreadable']
    assert found.keys() == {str(world / 'crops' / 'torn' / name) for name in NAMES.values()}
    tried(AREA, 'names in reports of verify_dataset', 'only text', len(NAMES))


def test_pictures_of_matches_stay_in_their_folder(world, tmp_path, tried):
    inferencer = ReIDInferencer(world / 'reid.py', world / 'reid.pth', world / 'crops')
    queries = [str(world / 'crops' / 'sound' / name) for name in NAMES.values()]
    inferencer(queries, topk=2, out_dir=tmp_path / 'out')
    written = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert len(written) == len(queries)
    assert {path.parent for path in written} == {tmp_path / 'out'}
    assert all(cv2.imdecode(np.fromfile(path, np.uint8), 1) is not None for path in written)
    tried(AREA, 'names in pictures of matches', 'written inside the folder', len(queries))
