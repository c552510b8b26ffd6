import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from passreid.search import GalleryRecord, StaleGalleryError

PATTERN = r'(?P<person>\d+)_c(?P<camera>\d)s1_(?P<time>\d+)'
UNIX = 1714579200.0
# Not imported here: its import closes the log files of earlier runs.
needs_milvus = pytest.mark.skipif(find_spec('pymilvus') is None, reason='needs pymilvus')


@pytest.fixture
def search(run, small, tmp_path):
    """Call the program beside 'crops', 19 images under cameras 2 to 5; give what it printed."""
    crops = tmp_path / 'crops'
    crops.mkdir()
    for source in sorted((small.people / 'bounding_box_test').iterdir()):
        (crops / source.name).write_bytes(source.read_bytes())

    def call(command, *options, weights=small.weights):
        model = [small.config, weights, '--device', 'cpu']
        words = model if command in ('index', 'query') else []
        return run('search_gallery', command, *words, *options)

    return call


@pytest.fixture
def query(small):
    return small.people / 'query' / '0101_c1s1_000001_00.jpg'


def found():
    return json.loads(Path('found.json').read_text())


def test_index_query_delete_info(search, query):
    printed = search('index', 'crops', '--store', 'g', '--pattern', PATTERN)
    assert '19 added, 0 updated, 0 deleted, 0 unchanged, 0 unreadable; 19 images in' in printed
    options = ['--store', 'g', '--topk', '5', '--not-camera', '2', '3', '--json', 'found.json']
    printed = search('query', query, *options, '--out', 'new/page.html')
    assert f'{query}: 5 images found\nrank  similarity  camera  time' in printed
    assert 'Wrote found.json\nWrote new/page.html\n' in printed
    (entry,) = found()
    assert entry['query'] == str(query) and len(entry['matches']) == 5
    first = entry['matches'][0]
    assert set(first) == {'path', 'similarity', 'cam_id', 'time', 'fields'}
    assert os.path.isabs(first['path']) and Path(first['path']).is_file()
    assert {match['cam_id'] for match in entry['matches']} <= {4, 5}
    assert first['time'] == first['cam_id']
    assert first['fields'] == dict(person=os.path.basename(first['path'])[:4])
    assert 'Cameras left out: 2, 3.' in Path('new/page.html').read_text()
    printed = search('delete', '--store', 'g', first['path'], 'crops/never.jpg')
    assert '1 images deleted; 18 in' in printed
    assert 'Not in the gallery: crops/never.jpg' in printed
    search('query', query, *options)
    search('query', query, *options, '--standardize-cameras', '--query-camera', '1')
    assert found()[0]['matches'][0]['similarity'] != entry['matches'][0]['similarity']
    assert first['path'] not in {match['path'] for match in found()[0]['matches']}
    printed = search('info', '--store', 'g')
    assert 'images:               18\n' in printed and 'values to a feature:' in printed


@needs_milvus
def test_a_database_finds_what_a_folder_does(search, query):
    results = []
    options = {'g': [], 'g.db': ['--store-options', 'collection=mine', 'index=HNSW']}
    for store, words in options.items():
        search('index', 'crops', '--store', store, '--pattern', PATTERN, *words)
        words = [*words[:-1], '--json', 'found.json', '--since', '3']
        search('query', query, query.parent, '--store', store, *words)
        results.append(found())
    assert len(results[0]) == 7
    for one, other in zip(*results, strict=True):
        for mine, its in zip(one['matches'], other['matches'], strict=True):
            assert mine == dict(its, similarity=pytest.approx(its['similarity'], abs=1e-5))
    with pytest.raises(FileNotFoundError):
        search('query', query, '--store', 'g.db')


def test_conditions(search, query):
    search('index', 'crops', '--store', 'g', '--pattern', PATTERN)

    def matches(*conditions):
        words = ['--store', 'g', '--topk', '99', '--json', 'found.json']
        search('query', query, *words, *conditions)
        return found()[0]['matches']

    every = matches()
    assert len(every) == 19
    assert [m['cam_id'] for m in matches('--camera', '3')] == [3] * 6
    assert {m['time'] for m in matches('--since', '3', '--until', '4')} == {3, 4}
    assert matches('--since', '2024-05-01') == []
    assert {m['fields']['person'] for m in matches('--field', 'person=0103')} == {'0103'}
    assert matches('--field', 'person:=103') == []
    least = (every[3]['similarity'] + every[4]['similarity']) / 2
    assert matches('--threshold', str(least)) == every[:4]


def test_indexing_again_reads_only_what_has_changed(search):
    options = ['index', 'crops', '--store', 'g', '--pattern', PATTERN]
    search(*options)
    assert '0 added, 0 updated, 0 deleted, 19 unchanged' in search(*options)
    paths = sorted(Path('crops').iterdir())
    paths[0].unlink()
    os.utime(paths[1], (1, 1))
    (paths[2].parent / 'sub').mkdir()
    paths[2].rename('crops/sub/0999_c4s1_000001_00.jpg')
    Path('crops/sub/0998_c4s1_000001_00.jpg').write_bytes(b'torn')
    printed = search(*options)
    assert '1 added, 1 updated, 2 deleted, 16 unchanged, 1 unreadable; 18 images' in printed
    assert 'Unreadable: ' in printed and '0998_c4s1_000001_00.jpg (' in printed


def test_records_of_a_list(search, query):
    names = [path.name for path in Path('crops').iterdir()]
    lines = [f'{name},{place},2024-05-01,x' for place, name in enumerate(names)]
    Path('list.csv').write_text('\n'.join(['path,cam_id,time,note', *lines[1:]]))
    options = ['index', 'crops', '--store', 'g', '--records', 'list.csv']
    with pytest.raises(ValueError, match=r'list\.csv.* --ignore-unmatched'):
        search(*options)
    printed = search(*options, '--ignore-unmatched')
    assert '19 added' in printed
    assert f'Nothing known about {Path("crops").resolve()}/{names[0]}\n' in printed
    printed = search('query', query, '--store', 'g', '--camera', '7', '--out', 'page.html')
    assert '1 images found' in printed
    page = Path('page.html').read_text()
    assert '2024-05-01' in page and 'Cameras: 7.' in page


def test_gallery_of_another_model_is_refused(search, query, small):
    search('index', 'crops', '--store', 'g')
    for command in (['index', 'crops'], ['query', query]):
        with pytest.raises(StaleGalleryError, match='another model'):
            search(*command, '--store', 'g', weights=small.others)


@pytest.mark.parametrize('store', ['nowhere', pytest.param('nowhere.db', marks=needs_milvus)])
def test_gallery_that_is_not_there(search, store):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        search('info', '--store', store)
    assert not Path(store).exists()


@pytest.mark.parametrize(
    ('words', 'name'),
    [
        (['query', 'c', 'p', 'q', '--store', 'g', '--since', 'noon'], "'noon'"),
        (['query', 'c', 'p', 'q', '--store', 'g', '--field', 'a:=x'], "'a:=x'"),
        (['query', 'c', 'p', 'q', '--store', 'g', '--field', 'a'], "'a'"),
        (['index', 'c', 'p', 'f'], '--store'),
        (['index', 'c', 'p', 'f', '--store', 'g', '--pattern', 'x', '--records', 'y'], '--records'),
    ],
)
def test_bad_command_lines(run, capsys, words, name):
    with pytest.raises(SystemExit):
        run('search_gallery', *words)
    assert name in capsys.readouterr().err


@pytest.fixture
def tool(load_tool):
    return load_tool('search_gallery')


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('-12.5', -12.5),
        ('2024-05-01T16:00:00Z', UNIX),
        ('2024-05-01 18:00+02:00', UNIX),
        ('2024-05-01T16:00:00.250', UNIX + 0.25),
        ('2024-05-01', UNIX - 16 * 3600),
    ],
)
def test_times(tool, text, seconds):
    assert tool.parse_time(text) == seconds


def test_names(tool):
    pattern = r'(?P<person>\w+?)_c(?P<camera>\w+)_(?P<time>\w+)?'
    find = tool.records_of_names(Path('/crops'), pattern)
    path = '/crops/monday/anna_c3_75.jpg'
    assert find(path) == GalleryRecord(path, 3, 75.0, dict(person='anna'))
    assert find('/crops/anna_c4_.jpg').time is None
    assert find('/crops/a.jpg') is None
    with pytest.raises(ValueError, match=r"^/crops/a_c1_noon\.jpg: .*'noon'"):
        find('/crops/a_c1_noon.jpg')
    # With a slash, the path below the folder.
    find = tool.records_of_names(Path('/crops'), r'cam(?P<camera>\d+)/(?P<day>\w+)/')
    path = '/crops/cam4/monday/a.jpg'
    assert find(path) == GalleryRecord(path, 4, None, dict(day='monday'))
    with pytest.raises(ValueError, match='--pattern'):
        tool.records_of_names(Path('/crops'), r'c(\d)')


@pytest.fixture
def listed(tool, tmp_path):
    def read(text, encoding='utf-8'):
        file = tmp_path / 'list.csv'
        file.write_bytes(text.encode(encoding, 'surrogateescape'))
        return tool.records_of_list(tmp_path / 'crops', file)

    return read


def test_list(listed, tmp_path):
    outside = str(tmp_path / 'elsewhere' / 'c.jpg')
    find = listed(
        'cam_id,path,time,weather,frame\n'
        '3,a.jpg,75,rain,0042\n'
        ',./sub/../sub/ü.jpg,2024-05-01T16:00:00,,\n'
        f'2,"{outside}",,"sun, rain",1\n'
    )
    expected = [
        GalleryRecord(str(tmp_path / 'crops/a.jpg'), 3, 75.0, dict(weather='rain', frame='0042')),
        GalleryRecord(str(tmp_path / 'crops/sub/ü.jpg'), -1, UNIX),
        GalleryRecord(outside, 2, None, dict(weather='sun, rain', frame='1')),
    ]
    assert [find(record.path) for record in expected] == expected
    assert find(str(tmp_path / 'crops' / 'b.jpg')) is None
    # As a spreadsheet writes it, with a name that is no UTF-8.
    find = listed('path\na\udcff.jpg\n', 'utf-8-sig')
    assert find(str(tmp_path / 'crops' / 'a\udcff.jpg')).cam_id == -1


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('file,cam_id\n', 'it needs path'),
        ('path,a\nx.jpg\n', r'list\.csv, line 2: expected are 2 columns'),
        ('path,time\nx.jpg,noon\n', "line 2: .*'noon'"),
    ],
)
def test_bad_lists(listed, text, message):
    with pytest.raises(ValueError, match=message):
        listed(text)
