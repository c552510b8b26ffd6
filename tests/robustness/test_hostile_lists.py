"""Lists, names and LMDBs that are damaged, or written by someone with ill intent."""

import pickle

import cv2
import lmdb
import numpy as np
import pytest

from passreid.datasets import CUHK03NP, MSMT17, DukeMTMCReID, LUPerson, Market1501
from passreid.datasets.transforms import LoadPersonImage

A, B = '0000/0000_000_01_a_1_0.jpg', '0000/0000_001_02_b_1_0.jpg'
KEYS = [f'01_02_{number:04d}' for number in range(20)]
NOISE = np.random.default_rng(0).integers(0, 255, (64, 32, 3), np.uint8)
JPEG = cv2.imencode('.jpg', NOISE)[1].tobytes()
# The second lines of lists, after a sound one.
PATHS = {
    'climbs': '../secret.jpg',
    'absolute': '/etc/secret.jpg',
    'zero byte': '0000/a\0.jpg',
    'no image': 'etc/passwd',
    'too long': 'x' * 5000 + '.jpg',
}
COLUMNS = {
    'no pid': B,
    'pid is text': f'{B} three',
    'negative pid': f'{B} -2',
    'no camera': 'plain.jpg 0',
}
NO_LISTS = {
    'empty': b'',
    'pickle': b'\x80\x04\x95pickle',
    'UTF-16': 'a.jpg\n'.encode('utf-16'),
}
NO_KEYS = {
    'empty': b'',
    'truncated': pickle.dumps(KEYS)[:-9],
    'numbers': pickle.dumps([1, 2]),
    'other entries': pickle.dumps({'a': 1}),
    'no keys': pickle.dumps([]),
    'huge': b'\x80\x02X\xff\xff\xff\x7fa.',
}
NO_LMDBS = {'empty': b'', 'text': b'text' * 5000}
# Names that break the pattern of a data set, beside a sound one.
NAMES = {
    Market1501: ['abc.jpg', '-2_c1.jpg', '0001_c0.jpg'],
    DukeMTMCReID: ['0001c2.jpg', '1.5_c2.jpg'],
    CUHK03NP: [f'{"9" * 19}_c1.png', '\u202e0001_c1.png'],
}
# What is read, the file, what is written to it, and what the error names.
CASES = {
    **{f'crops: {n}': ('crops', f'{A}\n{line}\n', 'line 2 of .*list') for n, line in PATHS.items()},
    **{f'people: {n}': ('people', f'{A} 0\n{p} 1', 'line 2 of .*list') for n, p in PATHS.items()},
    **{f'people: {n}': ('people', f'{A} 0\n{p}', 'line 2 of .*list') for n, p in COLUMNS.items()},
    **{f'{k}, {n}': (k, data, 'ROOT') for n, data in NO_LISTS.items() for k in ('crops', 'people')},
    'people: missing': ('people', f'{A} 0\ngone_0_01.jpg 1\n', 'list_train'),
    **{f'keys: {n}': ('keys', data, r'keys\.pkl') for n, data in NO_KEYS.items()},
    **{f'LMDB: {n}': ('LMDB', data, r'data\.mdb') for n, data in NO_LMDBS.items()},
    **{f'{n!r}': (kind, n, 'ROOT') for kind, names in NAMES.items() for n in names},
}
FILES = {
    'crops': 'train/list.txt',
    'people': 'list_train.txt',
    'keys': 'keys.pkl',
    'LMDB': 'lmdb/data.mdb',
}
READERS = {
    'crops': lambda root: LUPerson(str(root / 'train'), ann_file='list.txt'),
    'people': lambda root: MSMT17(str(root)),
    'keys': lambda root: LUPerson(str(root)),
    'LMDB': lambda root: LUPerson(str(root), pipeline=[LoadPersonImage()])[0],
}


def write(path, data=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(JPEG if data is None else data)


@pytest.fixture
def root(tmp_path):
    """Two images to list, and an LMDB."""
    for name in (A, B):
        write(tmp_path / 'train' / name)
    write(tmp_path / 'list_val.txt', b'')
    write(tmp_path / 'keys.pkl', pickle.dumps(KEYS))
    (tmp_path / 'lmdb').mkdir()
    with (
        lmdb.open(str(tmp_path / 'lmdb'), map_size=1 << 24) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in KEYS:
            transaction.put(key.encode(), JPEG if key != KEYS[3] else b'')
    return tmp_path


@pytest.mark.parametrize('case', CASES)
def test_refused(root, case):
    """The error names the file, and the line where there is one, in words fit for a terminal."""
    kind, content, words = CASES[case]
    if kind in FILES:
        data = content if isinstance(content, bytes) else content.encode()
        write(root / FILES[kind], data)
        read = READERS[kind]
    else:
        folder = root / ('detected' if kind is CUHK03NP else '') / 'bounding_box_train'
        write(folder / content)
        write(folder / f'0001_c1_1{content[-4:]}')
        read = lambda root: kind(str(root))  # noqa: E731
    with pytest.raises(
        (ValueError, FileNotFoundError), match=words.replace('ROOT', str(root))
    ) as caught:
        read(root)
    assert len(str(caught.value)) < 900
    assert all(part.isprintable() for part in str(caught.value).splitlines())


def test_programs(root, program):
    write(root / 'keys.pkl', program)
    with pytest.raises(ValueError, match=r'keys\.pkl'):
        LUPerson(str(root))


@pytest.mark.parametrize('key', ['lost', '', 'k' * 600, 'a\nb\x1b'])
def test_keys_that_are_not_there(root, log, key):
    """Counted and named in one line, as values that are no pictures; others take their places."""
    write(root / 'keys.pkl', pickle.dumps([*KEYS, key]))
    dataset = LUPerson(str(root), pipeline=[LoadPersonImage()], max_bad_share=1)
    assert all(dataset[index]['img'].shape == (64, 32, 3) for index in range(len(dataset)))
    assert dataset.bad_image_summary()['names'] == [KEYS[3], key]
    assert all(line.isprintable() for line in log().splitlines())
