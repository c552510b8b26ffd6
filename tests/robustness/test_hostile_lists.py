"""Lists of images that were damaged, written by other programs, or by someone with ill intent."""

import os

import pytest
from hostile_images import encode, plain

from passreid.registry import DATASETS
from passreid.utils import register_all_modules

AREA = 'hostile input'
A, B = '0000/0000_000_01_a_1_0.jpg', '0000/0000_001_02_b_1_0.jpg'
SOUND = {
    'CRLF': '{a}\r\n{b}\r\n',
    'byte order mark': '\ufeff{a}\n{b}\n',
    'blank lines': '\n\n{a}\n\n\n{b}\n\n',
    'no line break at the end': '{a}\n{b}',
    'CRLF, mark and blank lines': '\ufeff\r\n{a}\r\n\r\n{b}',
}
# Of lists of paths alone; then of lists of paths and pids.
BAD_PATHS = {
    'climbs': '../secret.jpg',
    'climbs inside': '0000/../../secret.jpg',
    'climbs at the end': '0000/..',
    'absolute': '/etc/secret.jpg',
    'backslash': '..\\secret.jpg',
    'drive': 'C:\\secret.jpg',
    'zero byte': '0000/a\0.jpg',
    'no image': '/etc/passwd',
    'no extension': '0000/a',
    'folder': '0000/a.jpg/',
    'line of an old Mac': 'a.jpg\rb.jpg',
    'white space at the beginning': ' 0000/a.jpg',
    'tab at the end': '0000/a.jpg\t',
    'too long': 'x' * 5000 + '.jpg',
    'megabytes': 'x' * 3_000_000,
    'address': 'http://host/a',
    'UTF-16': '\0a\0.\0j\0p\0g',
}
BAD_COLUMNS = {
    'no pid': A,
    'pid alone': '3',
    'pid is text': f'{A} three',
    'negative pid': f'{A} -2',
    'fraction': f'{A} 1.5',
    'exponent': f'{A} 1e3',
    'huge pid': f'{A} {10**30}',
    'digits of another script': f'{A} \u0663',
    'underscore': f'{A} 1_0',
    'plus': f'{A} +1',
    'three columns': f'{A} 1 2',
    'commas': f'{A},1',
    'listed twice': f'{B} 1',
    'listed twice with other pids': f'{B} 2',
}


@pytest.fixture
def root(tmp_path):
    for name in (A, B):
        path = tmp_path / 'train' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(plain(), 'JPEG'))
    (tmp_path / 'list_val.txt').write_text('')
    return tmp_path


def build(kind, root, text, **options):
    """Build a data set from a list, whatever it says; bytes are written as they are."""
    register_all_modules(init_default_scope=False)
    data = text if isinstance(text, bytes) else text.encode('utf-8', 'surrogateescape')
    labelled = kind == 'MSMT17'
    (root / ('list_train.txt' if labelled else 'train/list.txt')).write_bytes(data)
    config = dict(type=f'passreid.{kind}', pipeline=[dict(type='LoadPersonImage')], **options)
    if labelled:
        return DATASETS.build(dict(config, data_root=str(root)))
    return DATASETS.build(dict(config, data_root=str(root / 'train'), ann_file='list.txt'))


def names(dataset):
    return [os.path.relpath(dataset[index]['img_path']) for index in range(len(dataset))]


@pytest.mark.parametrize('text', SOUND.values(), ids=SOUND)
@pytest.mark.parametrize('kind', ['LUPerson', 'MSMT17'])
def test_lists_of_other_programs_are_read(root, tried, kind, text):
    a, b = (A, B) if kind == 'LUPerson' else (f'{A} 0', f'{B}\t  7')
    dataset = build(kind, root, text.format(a=a, b=b))
    expected = [os.path.relpath(root / 'train' / name) for name in (A, B)]
    assert names(dataset) == expected
    tried(AREA, 'lists: CRLF, byte order mark, blanks, tabs', 'read')


# White space at the ends of a path divides columns where there are some.
BAD_LINES = [
    pytest.param(kind, line, id=f'{kind}-{name}')
    for kind in ('LUPerson', 'MSMT17')
    for name, line in BAD_PATHS.items()
    if kind == 'LUPerson' or line == line.strip()
]


@pytest.mark.parametrize('kind, line', BAD_LINES)
def test_paths_that_lead_elsewhere(root, tried, kind, line):
    first, bad = (A, line) if kind == 'LUPerson' else (f'{A} 0', f'{line} 1')
    with pytest.raises(ValueError, match=r'line 3 of .*list') as caught:
        build(kind, root, f'{first}\n\n{bad}\n{B}')
    assert len(str(caught.value)) < 800
    assert str(caught.value).isprintable()
    tried(AREA, 'lists: path traversal, absolute, damaged paths', 'refused: named the line')


@pytest.mark.parametrize('line', BAD_COLUMNS.values(), ids=BAD_COLUMNS)
def test_bad_columns(root, tried, line):
    with pytest.raises(ValueError, match=r'line 2 of .*list_train\.txt'):
        build('MSMT17', root, f'{B} 1\n{line}\n')
    tried(AREA, 'lists: bad columns, listed twice', 'refused: named the line')


@pytest.mark.parametrize(
    ('data', 'problem'),
    [
        (b'', 'no images|is empty'),
        (b'\n\r\n\n', 'no images|is empty'),
        (bytes(range(256)) * 8, 'line 1 of'),
        (os.urandom(4096), 'line 1 of'),
        (b'\x80\x04\x95pickle', 'line 1 of'),
        ('a.jpg\n'.encode('utf-16'), 'line 1 of'),
        (b'PK\x03\x04' + bytes(100), 'line 1 of'),
    ],
    ids=['empty', 'blank', 'all bytes', 'random', 'pickle', 'UTF-16', 'zip'],
)
@pytest.mark.parametrize('kind', ['LUPerson', 'MSMT17'])
def test_lists_that_are_none(root, tried, kind, data, problem):
    with pytest.raises(ValueError, match=problem) as caught:
        build(kind, root, data)
    assert str(root) in str(caught.value)
    tried(AREA, 'lists: empty, binary, of another coding', 'refused: named the file')


@pytest.mark.parametrize('kind', ['LUPerson', 'MSMT17'])
def test_names_in_latin_1_are_the_bytes_that_they_are(root, tried, kind):
    name = os.fsdecode(b'0000/caf\xe9_1_01_a.jpg')
    (root / 'train' / name).write_bytes(encode(plain(), 'JPEG'))
    dataset = build(kind, root, os.fsencode(name) + (b' 3' if kind == 'MSMT17' else b''))
    assert names(dataset) == [os.path.relpath(root / 'train' / name)]
    tried(AREA, 'lists: Latin-1', 'read')


def test_files_that_are_missing(root, tried, log):
    with pytest.raises(FileNotFoundError, match='1 of the 2 files in .*list_train.txt are missing'):
        build('MSMT17', root, f'{A} 0\n0000/0000_009_01_a.jpg 0\n')
    tried(AREA, 'lists: missing files', 'refused: named the file')
    dataset = build('LUPerson', root, f'{A}\ngone.jpg\n{B}', max_bad_share=1)
    assert len(names(dataset)) == 3
    assert dataset.bad_image_summary()['names'] == [str(root / 'train' / 'gone.jpg')]
    assert 'gone.jpg: No such file' in log()
    tried(AREA, 'lists: missing files', 'counted and logged')


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'nothing', 'dangling link'])
def test_lists_that_are_no_files(root, tried, kind):
    path = root / 'train' / 'strange.txt'
    if kind == 'folder':
        path.mkdir()
    elif kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'dangling link':
        path.symlink_to('none')
    config = dict(type='passreid.LUPerson', data_root=str(root / 'train'), ann_file='strange.txt')
    with pytest.raises((ValueError, FileNotFoundError), match='strange.txt'):
        DATASETS.build(config)
    path.unlink() if path.is_symlink() or kind == 'pipe' else None
    other = root / 'list_train.txt'
    os.mkfifo(other) if kind == 'pipe' else kind == 'folder' and other.mkdir()
    with pytest.raises(FileNotFoundError, match='MSMT17 not found in'):
        DATASETS.build(dict(type='passreid.MSMT17', data_root=str(root)))
    tried(AREA, 'lists: folders, pipes, dead links, nothing', 'refused: named the file', 2)


def test_duplicated_lines_are_read_as_often(root, tried):
    dataset = build('LUPerson', root, f'{A}\n{A}\n{B}\n')
    assert len(names(dataset)) == 3
    tried(AREA, 'lists: duplicated lines without labels', 'read as often as listed')
