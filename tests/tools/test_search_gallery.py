import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import save_weights
from tiny_runs import reid_config, write_people

from passreid.search import GalleryRecord, LocalStore, StaleGalleryError, open_store

ROOT = Path(__file__).parents[2]
PATTERN = r'(?P<person>\d+)_c(?P<camera>\d)s1_(?P<time>\d+)'
STORES = ('gallery', 'gallery.db')


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """A config, weights, and crops: 19 under cameras 2 to 5, and 6 queries under camera 1."""
    folder = tmp_path_factory.mktemp('base')
    cfg = reid_config(ROOT, write_people(folder / 'people'), folder / 'run')
    cfg.dump(folder / 'reid.py')
    for seed in (3, 4):
        save_weights(cfg, folder / f'reid-{seed}.pth', seed)
    return folder


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    return importlib.import_module('search_gallery')


@pytest.fixture
def run(program, base, tmp_path, monkeypatch, capsys):
    """Call the program in this process and an empty folder; give what it printed."""
    monkeypatch.chdir(tmp_path)
    crops = tmp_path / 'crops'
    crops.mkdir()
    for source in sorted((base / 'people' / 'bounding_box_test').iterdir()):
        (crops / source.name).write_bytes(source.read_bytes())

    def call(command, *options, seed=3):
        model = [base / 'reid.py', base / f'reid-{seed}.pth', '--device', 'cpu']
        words = [command, *(model if command in ('index', 'query') else []), *options]
        monkeypatch.setattr(sys, 'argv', ['search_gallery.py', *map(str, words)])
        capsys.readouterr()
        program.main()
        return capsys.readouterr().out

    return call


@pytest.fixture
def query(base):
    return base / 'people' / 'query' / '0101_c1s1_000001_00.jpg'


def found(path='found.json'):
    return json.loads(Path(path).read_text())


@pytest.mark.parametrize('store', STORES)
def test_index_query_delete_info(run, query, store):
    pytest.importorskip('pymilvus')
    printed = run('index', 'crops', '--store', store, '--pattern', PATTERN)
    assert '19 added, 0 updated, 0 deleted, 0 unchanged, 0 unreadable; 19 images in' in printed
    options = ['--store', store, '--topk', '5', '--not-camera', '2', '3', '--json', 'found.json']
    printed = run('query', query, *options, '--out', 'new/page.html')
    assert f'{query}: 5 images found\nrank  similarity  camera  time' in printed
    assert 'Wrote found.json\nWrote new/page.html\n' in printed
    (entry,) = found()
    assert entry['query'] == str(query) and len(entry['matches']) == 5
    first = entry['matches'][0]
    assert set(first) == {'path', 'similarity', 'cam_id', 'time', 'fields'}
    assert os.path.isabs(first['path']) and Path(first['path']).is_file()
    assert {match['cam_id'] for match in entry['matches']} <= {4, 5}
    assert first['time'] == first['cam_id'] and first['fields'] in (
        dict(person=os.path.basename(first['path'])[:4]),
    )
    assert 'Cameras left out: 2, 3.' in Path('new/page.html').read_text()
    printed = run('delete', '--store', store, first['path'], 'crops/never.jpg')
    assert '1 images deleted; 18 in' in printed
    assert 'Not in the gallery: crops/never.jpg' in printed
    run('query', query, *options)
    assert first['path'] not in {match['path'] for match in found()[0]['matches']}
    printed = run('info', '--store', store)
    assert 'images:               18\n' in printed and 'values to a feature:' in printed


def test_stores_find_the_same(run, query):
    pytest.importorskip('pymilvus')
    results = []
    for number, store in enumerate(STORES):
        store = store.replace('gallery', f'gallery{number}')
        run('index', 'crops', '--store', store, '--pattern', PATTERN)
        run('query', query, query.parent, '--store', store, '--json', 'found.json', '--since', '3')
        results.append(found())
    assert len(results[0]) == 7
    for one, other in zip(*results, strict=True):
        for mine, its in zip(one['matches'], other['matches'], strict=True):
            assert mine == dict(its, similarity=pytest.approx(its['similarity'], abs=1e-5))


def test_conditions(run, query):
    run('index', 'crops', '--store', 'g', '--pattern', PATTERN)
    options = ['query', query, '--store', 'g', '--topk', '99', '--json', 'found.json']

    def matches(*conditions):
        run(*options, *conditions)
        return found()[0]['matches']

    every = matches()
    assert len(every) == 19
    assert [m['cam_id'] for m in matches('--camera', '3')] == [3] * 6
    assert {m['time'] for m in matches('--since', '3', '--until', '4')} == {3, 4}
    assert matches('--since', '2024-05-01') == []
    assert matches('--until', '1970-01-01T00:00:02') == [m for m in every if m['time'] == 2]
    assert {m['fields']['person'] for m in matches('--field', 'person=0103')} == {'0103'}
    assert matches('--field', 'person:=103') == []
    least = (every[3]['similarity'] + every[4]['similarity']) / 2
    assert matches('--threshold', str(least)) == every[:4]
    assert '0 images found' in run(*options, '--threshold', '1')


def test_indexing_again_reads_only_what_has_changed(run):
    options = ['index', 'crops', '--store', 'g', '--pattern', PATTERN]
    run(*options)
    assert '0 added, 0 updated, 0 deleted, 19 unchanged' in run(*options)
    paths = sorted(Path('crops').iterdir())
    paths[0].unlink()
    os.utime(paths[1], (1, 1))
    (paths[2].parent / 'sub').mkdir()
    paths[2].rename('crops/sub/0999_c4s1_000001_00.jpg')
    Path('crops/sub/0998_c4s1_000001_00.jpg').write_bytes(b'torn')
    printed = run(*options)
    assert '1 added, 1 updated, 2 deleted, 16 unchanged, 1 unreadable; 18 images' in printed
    assert 'Unreadable: ' in printed and '0998_c4s1_000001_00.jpg (' in printed
    # Another pattern means other records.
    printed = run('index', 'crops', '--store', 'g', '--pattern', r'\d+_c(?P<camera>\d)')
    assert '0 added, 18 updated, 0 deleted, 0 unchanged' in printed


def test_records_of_a_list(run, query):
    lines = [
        f'{path.name},{place},2024-05-01,x' for place, path in enumerate(Path('crops').iterdir())
    ]
    Path('list.csv').write_text('\n'.join(['path,cam_id,time,note', *lines[1:]]))
    options = ['index', 'crops', '--store', 'g', '--records', 'list.csv']
    with pytest.raises(ValueError, match=r'list\.csv.* --ignore-unmatched'):
        run(*options)
    printed = run(*options, '--ignore-unmatched')
    assert '19 added' in printed
    assert f'Nothing known about {Path("crops").resolve()}/{lines[0].split(",")[0]}\n' in printed
    printed = run('query', query, '--store', 'g', '--camera', '7', '--out', 'page.html')
    assert '1 images found' in printed and '2024-05-01' in Path('page.html').read_text()


def test_gallery_of_another_model_is_refused(run, query):
    run('index', 'crops', '--store', 'g')
    for command in (['index', 'crops'], ['query', query]):
        with pytest.raises(StaleGalleryError, match='another model'):
            run(*command, '--store', 'g', seed=4)
    with pytest.raises(StaleGalleryError):
        run('query', query, '--store', 'g', '--flip')


@pytest.mark.parametrize('command', ['query', 'delete', 'info'])
@pytest.mark.parametrize('store', ['nowhere', 'nowhere.db'])
def test_gallery_that_is_not_there(run, query, command, store):
    pytest.importorskip('pymilvus')
    words = {'query': [query], 'delete': ['a.jpg'], 'info': []}[command]
    with pytest.raises(FileNotFoundError, match='there is no gallery in nowhere'):
        run(command, '--store', store, *words)
    assert not Path(store).exists()


def test_options_of_the_store(run, query):
    pytest.importorskip('pymilvus')
    options = ['--store', 'g.db', '--store-options', 'collection=mine', 'index=HNSW']
    run('index', 'crops', *options)
    assert '10 images found' in run('query', query, *options[:-1])
    with pytest.raises(FileNotFoundError):
        run('query', query, '--store', 'g.db')


def test_images_under_other_names_than_files_can_be_deleted(run):
    with LocalStore(2, 'a model', 'g', 'cpu') as store:
        store.add(np.eye(2), [GalleryRecord('anna'), GalleryRecord('bert')])
    assert '1 images deleted; 1 in g' in run('delete', '--store', 'g', 'anna')
    assert list(open_store('g').stamps()) == ['bert']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['query', 'c', 'p', 'q', '--store', 'g', '--since', 'noon'], "'noon' is no time"),
        (['query', 'c', 'p', 'q', '--store', 'g', '--field', 'a'], "'a' is not of the form NAME="),
        (['query', 'c', 'p', 'q', '--store', 'g', '--field', ':=1'], 'is not of the form'),
        (['query', 'c', 'p', 'q', '--store', 'g', '--field', 'a:=x'], 'is no number, true or fal'),
        (['index', 'c', 'p', 'f'], 'required: --store'),
        (
            ['index', 'c', 'p', 'f', '--store', 'g', '--pattern', 'x', '--records', 'y'],
            'not allowed',
        ),
    ],
)
def test_bad_command_lines(program, monkeypatch, capsys, words, message):
    monkeypatch.setattr(sys, 'argv', ['search_gallery.py', *words])
    with pytest.raises(SystemExit):
        program.parse_args()
    assert message in capsys.readouterr().err
