import csv
import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'cluster_gallery_files.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('cluster_gallery_files', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_list(path):
    with path.open(encoding='utf-8', errors='surrogateescape', newline='') as file:
        return list(csv.reader(file))


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_list_survives_any_name(tool, tmp_path):
    names = ['a,b.jpg', 'say "hi".jpg', 'two\nlines\r.jpg', 'ü/人.jpg', ' x.jpg', 'bad\udcff.jpg']
    tool.write_list(tmp_path / 'new.csv', names, np.arange(6) - 1)
    rows = read_list(tmp_path / 'new.csv')
    assert rows == [['path', 'cluster'], *([name, str(n - 1)] for n, name in enumerate(names))]
    # No mark before the first name of a column, and a byte that is no UTF-8 as it was.
    content = (tmp_path / 'new.csv').read_bytes()
    assert content.startswith(b'path,cluster\r\n') and b'bad\xff.jpg,4' in content
    assert files(tmp_path) == ['new.csv']


@pytest.mark.parametrize('sign', ['=', '+', '-', '@', '\t', '\r', '\n', '＝'])
def test_no_name_is_a_formula(tool, tmp_path, sign):
    name = f'{sign}cmd("x").jpg'
    tool.write_list(tmp_path / 'list.csv', [name, f'a/{name}'], np.array([0, -1]))
    _, (first, _), (second, _) = read_list(tmp_path / 'list.csv')
    assert first == f'./{name}' and os.path.normpath(first) == name
    assert second == f'a/{name}'


def test_list_is_written_whole_or_not_at_all(tool, tmp_path):
    path = tmp_path / 'list.csv'
    path.write_text('old')

    def names():
        yield 'a.jpg'
        raise OSError('the disk is gone')

    with pytest.raises(OSError, match='the disk is gone'):
        tool.write_list(path, names(), np.array([1, 2]))
    assert path.read_text() == 'old'


@pytest.mark.parametrize(
    ('number', 'expected'), [(1, [3]), (2, [3, 9]), (3, [3, 6, 9]), (7, [3, 4, 5, 6, 7, 8, 9])]
)
def test_spread(tool, number, expected):
    assert tool.spread(np.arange(3, 10), number).tolist() == expected


def result(folder, *more):
    folder.mkdir(exist_ok=True)
    (folder / 'clusters.csv').write_text('path,cluster\na.jpg,0\n')
    for name in ('cluster_0000.png', 'outliers.png', *more):
        (folder / name).touch()
    return folder


def test_an_earlier_result_and_nothing_at_all_may_be_replaced(tool, tmp_path):
    for out in (tmp_path / 'none', result(tmp_path / 'old', 'cluster_10000.png', '.DS_Store')):
        tool.check_output(out, tmp_path / 'images')
    (tmp_path / 'empty').mkdir()
    tool.check_output(tmp_path / 'empty', tmp_path / 'images')


@pytest.mark.parametrize('name', ['notes.txt', 'cluster_7.png', 'cluster_0001.png.bak', 'more'])
def test_what_is_no_result_is_kept(tool, tmp_path, name):
    out = result(tmp_path / 'out', name)
    with pytest.raises(FileExistsError, match=f'out holds {name}, which is no part'):
        tool.check_output(out, tmp_path / 'images')


@pytest.mark.parametrize('content', [None, 'path,person\n', '', 'image\n'])
def test_pictures_without_our_list_are_kept(tool, tmp_path, content):
    out = result(tmp_path / 'out')
    (out / 'clusters.csv').unlink()
    if content is not None:
        (out / 'clusters.csv').write_text(content)
    with pytest.raises(FileExistsError, match='which is no part of an earlier result'):
        tool.check_output(out, tmp_path / 'images')


def test_results_are_kept_apart_from_the_images(tool, tmp_path):
    images = tmp_path / 'images'
    for out in (images, images / 'sorted', tmp_path / 'x' / '..' / 'images' / 'a' / 'b'):
        with pytest.raises(ValueError, match='would take the contact sheets for images'):
            tool.check_output(out, images)
    tool.check_output(tmp_path / 'images2', images)


def test_a_file_is_no_folder(tool, tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(FileExistsError, match='is a file: name a folder'):
        tool.check_output(tmp_path / 'out', tmp_path / 'images')


@pytest.fixture
def write(tool, tmp_path):
    """Write the gallery of images of which each has a grey value of its own."""

    def call(sheets, outliers=(), max_tiles=60):
        clusters = np.full(40, -1)
        for cluster, members in enumerate(sheets):
            clusters[members] = cluster
        calls = []
        pictures = tool.write_gallery(
            tmp_path / 'out' / 'here',
            [f'{n}.jpg' for n in range(40)],
            clusters,
            [np.array(members) for members in sheets],
            np.array(outliers, int),
            lambda index: np.full((20, 10, 3), 5 * index, np.uint8),
            max_tiles,
            lambda done, total: calls.append((done, total)),
        )
        assert calls == [(n, len(pictures)) for n in range(1, len(pictures) + 1)]
        assert files(tmp_path / 'out' / 'here') == sorted(
            ['clusters.csv', *(p.name for p in pictures)]
        )
        return pictures

    return call


def shades(path, number):
    """Grey values of the first tiles of the first row."""
    page = cv2.imread(str(path))
    return [int(page[100, 60 + 104 * place, 0]) for place in range(number)]


def test_sheets_show_the_clusters_in_their_order(write):
    first, second, outliers = write([[7, 3, 9, 1], [4, 2]], outliers=[0, 5, 6])
    assert [path.name for path in (first, second)] == ['cluster_0000.png', 'cluster_0001.png']
    assert shades(first, 4) == [35, 15, 45, 5]
    assert shades(second, 2) == [20, 10]
    assert shades(outliers, 3) == [0, 25, 30]
    rows = dict(read_list(first.with_name('clusters.csv'))[1:])
    assert [rows[f'{n}.jpg'] for n in (7, 2, 0, 30)] == ['0', '1', '-1', '-1']


def test_of_a_large_cluster_some_images_are_shown(write):
    (sheet,) = write([list(range(31))], max_tiles=4)
    assert shades(sheet, 4) == [0, 50, 100, 150]


def test_titles_say_how_many_there_are(tool, write, monkeypatch):
    titles = []
    draw = tool.draw_contact_sheet

    def record(images, title, captions):
        titles.append((title, captions))
        return draw(images, title, captions)

    monkeypatch.setattr(tool, 'draw_contact_sheet', record)
    write([list(range(37)), [38]], outliers=[39, 37], max_tiles=2)
    assert titles == [
        ('cluster 0: 37 images, 2 shown', ['0.jpg', '36.jpg']),
        ('cluster 1: 1 image', ['38.jpg']),
        ('outliers: 2 images', ['39.jpg', '37.jpg']),
    ]


def test_a_result_replaces_that_of_an_earlier_run(write):
    write([[0], [1], [2]], outliers=[3])
    assert [path.name for path in write([[5, 6]])] == ['cluster_0000.png']
