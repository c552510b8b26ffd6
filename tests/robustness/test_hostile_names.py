"""Names of files and folders that no camera would give."""

import os
import unicodedata

import pytest
from hostile_images import encode, plain

from passreid.registry import DATASETS
from passreid.utils import register_all_modules

AREA = 'hostile input'
# A good name of each data set, and names that break its pattern.
PATTERNS = {
    'Market1501': (
        '0001_c1s1_000001_00.jpg',
        [
            'abc.jpg',
            '-2_c1.jpg',
            '0001.jpg',
            '0001_c0.jpg',
            '0001_cx.jpg',
            '0001_C1.jpg',
            '_c1.jpg',
        ],
    ),
    'DukeMTMCReID': (
        '0001_c2_f0000001.jpg',
        ['0001c2.jpg', '1.5_c2.jpg', '0001_c.jpg', ' 0001_c2.jpg', '0001_c12345678901.jpg'],
    ),
    'OccludedDuke': (
        '0001_c2_f0000001.jpg',
        ['0x01_c2.jpg', '+001_c2.jpg', '0001 _c2.jpg', '\u0661\u0662_c1.jpg'],
    ),
    'CUHK03NP': (
        '0001_c1_1.png',
        ['0001-c1.png', f'{"9" * 19}_c1.png', '\u202e0001_c1.png', 'c1_0001.png'],
    ),
}
STRANGE = {
    'spaces': '0001_c1 a  b .jpg',
    'Chinese': '0001_c1_人物.jpg',
    'emoji': '0001_c1_🚶‍♀️.jpg',
    'right to left': '0001_c1_\u202eשלום.jpg',
    'composed': unicodedata.normalize('NFC', '0001_c1_é.jpg'),
    'decomposed': unicodedata.normalize('NFD', '0001_c1_é.jpg'),
    'no UTF-8': os.fsdecode(b'0001_c1_\xff\xfe.jpg'),
    'line break': '0001_c1_\n.jpg',
    'terminal codes': '0001_c1_\x1b]0;x\x07\x1b[2J.jpg',
    'quotes and HTML': '0001_c1_\'"><img src=x onerror=alert(1)>.jpg',
    'formats': '0001_c1_%s{0}$(id)`id`.jpg',
    'glob': '0001_c1_[*]?.jpg',
    'long': f'0001_c1_{"x" * 240}.jpg',
    'two extensions': '0001_c1.png.exe.jpg',
    'capital extension': '0001_c1.JPG',
    'trailing dots': '0001_c1....jpg',
}
LABELLED = {'Market1501': 'bounding_box_train', 'CUHK03NP': 'detected/bounding_box_train'}


def build(kind, root, **options):
    register_all_modules(init_default_scope=False)
    pipeline = [dict(type='LoadPersonImage')]
    options = dict(pipeline=pipeline, max_bad_share=1) | options
    return DATASETS.build(dict(type=f'passreid.{kind}', data_root=str(root), **options))


def write(path, data=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(plain(), 'JPEG') if data is None else data)


def names_read(dataset):
    return sorted(os.path.basename(dataset[index]['img_path']) for index in range(len(dataset)))


@pytest.mark.parametrize(
    ('kind', 'bad'), [(kind, bad) for kind, (_, names) in PATTERNS.items() for bad in names]
)
def test_names_that_break_the_pattern(tmp_path, tried, kind, bad):
    folder = tmp_path / LABELLED.get(kind, 'bounding_box_train')
    good = PATTERNS[kind][0]
    write(folder / good)
    assert names_read(build(kind, tmp_path)) == [good]
    write(folder / bad)
    with pytest.raises(ValueError, match='does not begin with pid and camera') as caught:
        build(kind, tmp_path)
    assert str(folder) in str(caught.value)
    assert str(caught.value).isprintable()
    tried(AREA, 'names that break the pattern of their data set', 'refused: named the file')


@pytest.mark.parametrize('bad', ['0000_000_01.jpg', 'a_b_0_c_d_e.jpg', 'a_b_x_c.jpg', 'plain.jpg'])
def test_names_of_msmt17_without_a_camera(tmp_path, tried, bad):
    good = '0000/0000_000_01_0303morning_0015_0.jpg'
    for name in (good, f'0000/{bad}'):
        write(tmp_path / 'train' / name)
    (tmp_path / 'list_val.txt').write_text('')
    (tmp_path / 'list_train.txt').write_text(f'{good} 0\n0000/{bad} 0\n')
    with pytest.raises(ValueError, match=r'line 2 of .*list_train\.txt: the third field of'):
        build('MSMT17', tmp_path)
    tried(AREA, 'names that break the pattern of their data set', 'refused: named the line')


@pytest.mark.parametrize('ignore', [False, True])
@pytest.mark.parametrize('bad', ['nobody.jpg', 'x_y.jpg', '_3_a.jpg'])
def test_names_of_folders_of_ones_own(tmp_path, tried, log, bad, ignore):
    pattern = r'(?P<pid>\w+?)_(?P<camera>\d+)_'
    write(tmp_path / 'anna_1_a.jpg')
    write(tmp_path / bad)
    options = dict(pattern=pattern, ignore_unmatched=ignore)
    if ignore:
        assert names_read(build('FolderReID', tmp_path, **options)) == ['anna_1_a.jpg']
        assert f'1 images in {tmp_path}/ are left out' in log()
        assert f'{tmp_path}/{bad}' in log()
        tried(AREA, 'names that break the pattern of their data set', 'counted and logged')
        return
    with pytest.raises(ValueError, match=f'{tmp_path}/{bad}: the name does not match'):
        build('FolderReID', tmp_path, **options)
    tried(AREA, 'names that break the pattern of their data set', 'refused: named the file')


@pytest.mark.parametrize('kind', ['Market1501', 'FolderReID', 'LUPerson'])
@pytest.mark.parametrize('name', STRANGE.values(), ids=STRANGE)
def test_strange_names_are_read(tmp_path, tried, kind, name):
    folder = tmp_path / ('bounding_box_train' if kind == 'Market1501' else 'anna ü')
    write(folder / name)
    write(folder / '0002_c2.jpg')
    options = dict(pid_from='folder') if kind == 'FolderReID' else {}
    dataset = build(kind, tmp_path, **options)
    assert names_read(dataset) == sorted([name, '0002_c2.jpg'])
    assert dataset.bad_image_summary()['bad'] == 0
    tried(AREA, 'Unicode, controls, bytes, markup in names', 'read')


@pytest.mark.parametrize('name', STRANGE.values(), ids=STRANGE)
def test_strange_names_in_messages(tmp_path, tried, log, name):
    write(tmp_path / name, b'')
    write(tmp_path / 'good.jpg')
    dataset = build('LUPerson', tmp_path)
    assert names_read(dataset) == ['good.jpg', 'good.jpg']
    assert dataset.bad_image_summary()['names'] == [str(tmp_path / name)]
    (line,) = [line for line in log().splitlines() if 'the file is empty' in line]
    assert line.isprintable()
    assert line.startswith('bad image ') or ' bad image ' in line
    tried(AREA, 'Unicode, controls, bytes, markup in names that are logged', 'one line, no codes')


@pytest.mark.parametrize('root', ['a b', 'ü/人', 'x' * 200, 'quo"te\'s', os.fsdecode(b'\xff')])
def test_strange_data_roots(tmp_path, tried, root):
    write(tmp_path / root / 'bounding_box_train' / '0001_c1.jpg')
    assert names_read(build('Market1501', tmp_path / root)) == ['0001_c1.jpg']
    for _ in range(2):
        # The second time from the list that is kept.
        assert names_read(build('LUPerson', tmp_path / root)) == ['0001_c1.jpg']
    tried(AREA, 'Unicode, spaces, bytes in paths of data sets', 'read')


def test_persons_that_look_alike_are_two(tmp_path, tried):
    for form in ('NFC', 'NFD'):
        write(tmp_path / unicodedata.normalize(form, 'André') / '1.jpg')
    dataset = build('FolderReID', tmp_path, pid_from='folder')
    assert (len(dataset), dataset.num_ids) == (2, 2)
    tried(AREA, 'Unicode forms of one name as two persons', 'read, and logged as equal pictures')


@pytest.mark.parametrize('name', ['a.gif', 'b.HEIC', 'c.jfif', 'd.avif', 'e.ppm'])
@pytest.mark.parametrize('kind', ['Market1501', 'LUPerson'])
def test_pictures_of_other_kinds_are_counted(tmp_path, tried, log, kind, name):
    folder = tmp_path / 'bounding_box_train'
    write(folder / '0001_c1.jpg')
    write(folder / name)
    assert names_read(build(kind, tmp_path)) == ['0001_c1.jpg']
    assert f'1 pictures in {folder} are left out' in log()
    assert name in log()
    tried(AREA, 'pictures of kinds that are not read', 'counted and logged')
