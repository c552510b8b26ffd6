import importlib
from pathlib import Path

import pytest

from passreid.search import GalleryRecord

TOOLS = Path(__file__).parents[2] / 'tools'
UNIX = 1714579200.0


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('search_gallery_records')


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('0', 0),
        ('-12.5', -12.5),
        ('1e9', 1e9),
        ('2024-05-01T16:00:00', UNIX),
        ('2024-05-01 16:00', UNIX),
        ('2024-05-01T16:00:00Z', UNIX),
        ('2024-05-01T18:00:00+02:00', UNIX),
        ('2024-05-01T16:00:00.250', UNIX + 0.25),
        ('2024-05-01', UNIX - 16 * 3600),
    ],
)
def test_times(tool, text, seconds):
    assert tool.parse_time(text) == seconds


@pytest.mark.parametrize('text', ['', 'noon', 'nan', 'inf', '2024-13-01', '1.5.2024'])
def test_other_texts_are_no_times(tool, text):
    with pytest.raises(ValueError, match='is no time'):
        tool.parse_time(text)


def test_names(tool):
    pattern = r'(?P<person>\w+?)_c(?P<camera>\w+)_(?P<time>\d+)?'
    find = tool.records_of_names(Path('/crops'), pattern)
    assert find('/crops/monday/anna_c3_75.jpg') == GalleryRecord(
        '/crops/monday/anna_c3_75.jpg', 3, 75.0, dict(person='anna')
    )
    unknown = find('/crops/anna_cdoor_.jpg')
    assert unknown.time is None and unknown.cam_id == tool.parse_id('door')
    assert find('/crops/a.jpg') is None


def test_pattern_with_folders_reads_the_path_below(tool, tmp_path):
    find = tool.records_of_names(tmp_path, r'cam(?P<camera>\d+)/(?P<day>\w+)/')
    path = str(tmp_path / 'cam4' / 'monday' / 'a.jpg')
    assert find(path) == GalleryRecord(path, 4, None, dict(day='monday'))


def test_bad_times_in_names(tool):
    find = tool.records_of_names(Path('/crops'), r'(?P<time>\w+)')
    with pytest.raises(ValueError, match=r"^/crops/noon\.jpg: 'noon' is no time"):
        find('/crops/noon.jpg')


@pytest.mark.parametrize(
    ('pattern', 'message'), [('(', 'no regular expression'), (r'c(\d)', 'has no named group')]
)
def test_bad_patterns(tool, pattern, message):
    with pytest.raises(ValueError, match=message):
        tool.records_of_names(Path('/crops'), pattern)


@pytest.fixture
def listed(tool, tmp_path):
    def read(text, encoding='utf-8'):
        file = tmp_path / 'list.csv'
        file.write_bytes(text.encode(encoding, 'surrogateescape'))
        return tool.records_of_list(tmp_path / 'crops', file)

    return read


def test_list(listed, tmp_path):
    outside = tmp_path / 'elsewhere' / 'c.jpg'
    records = listed(
        'cam_id,path,time,weather,frame\n'
        '3,a.jpg,75,rain,0042\n'
        ',./sub/../sub/ü.jpg,2024-05-01T16:00:00,,\n'
        f'door,"{outside}",,"sun, rain",1\n'
    )
    paths = [str(tmp_path / 'crops' / name) for name in ('a.jpg', 'sub/ü.jpg')] + [str(outside)]
    assert [records(path) for path in paths] == [
        GalleryRecord(paths[0], 3, 75.0, dict(weather='rain', frame='0042')),
        GalleryRecord(paths[1], -1, UNIX),
        GalleryRecord(
            paths[2], records(paths[2]).cam_id, None, dict(weather='sun, rain', frame='1')
        ),
    ]
    assert records(str(tmp_path / 'crops' / 'b.jpg')) is None


def test_list_of_spreadsheets_and_of_odd_names(listed, tmp_path):
    records = listed('path\na\udcff.jpg\n', 'utf-8-sig')
    assert records(str(tmp_path / 'crops' / 'a\udcff.jpg')).cam_id == -1


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', r'has the columns \[\]: it needs path'),
        ('file,cam_id\n', 'it needs path'),
        ('path,a,a\n', 'none twice'),
        ('path,a\nx.jpg\n', r'list\.csv, line 2: expected are 2 columns'),
        ('path,a\nx.jpg,1,2\n', 'line 2: expected are 2 columns'),
        ('path\nx.jpg\n./x.jpg\n', r'line 3: \./x\.jpg has been listed before'),
        ('path,time\nx.jpg,noon\n', "line 2: 'noon' is no time"),
    ],
)
def test_bad_lists(listed, text, message):
    with pytest.raises(ValueError, match=message):
        listed(text)
