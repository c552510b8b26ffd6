import os
import pickle

import numpy as np
import pytest

from passreid.datasets.storage.image_lists import read_keys, read_labelled_list, read_path_list

KEYS = ['01_02_0003_00000004', '01_02_0003_00000005', 'rrrrrrrr']


def pickled(folder, content):
    path = folder / 'keys.pkl'
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    'content',
    [{'keys': KEYS, 'pids': [7, 8, 9]}, {'keys': KEYS, 'pids': ['p7', 'p8', 'p9']}]
    + [pickle.dumps(KEYS, protocol=protocol) for protocol in range(6)],
)
def test_keys(tmp_path, content):
    assert read_keys(pickled(tmp_path, content)) == KEYS


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('wrap', [lambda bad: bad, lambda bad: {'keys': KEYS, 'pids': [bad]}])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, wrap, protocol):
    trap = tmp_path / 'trap'
    content = pickle.dumps(wrap(Malicious(str(trap))), protocol=protocol)
    with pytest.raises(ValueError, match=r'keys\.pkl.*wants to import posix\.mkdir'):
        read_keys(pickled(tmp_path, content))
    assert not trap.exists()
    # The pickle is a working one.
    pickle.loads(content)
    assert trap.exists()


@pytest.mark.parametrize(
    'content',
    [b'', b'not a pickle', pickle.dumps(KEYS)[:-5], b'\x80\x02\x82\x01)R.', [1, 2], [b'01_02']]
    + ['01_02', {'pids': [1]}, np.array(KEYS)],
)
def test_anything_else_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r'keys\.pkl'):
        read_keys(pickled(tmp_path, content))


def write(folder, content):
    path = folder / 'list.txt'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize('end', ['\n', '\r\n'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_path_list(tmp_path, end, mark):
    names = ['a/1.jpg', '#2.png', '', 'b c/ü.JPG', 'a..b/..c.jpg']
    path = write(tmp_path, mark + end.join(names))
    assert list(read_path_list(path)) == [name for name in names if name]


BAD_PATHS = ['../secret.jpg', 'a/../../b.jpg', '/etc/a.jpg', 'a\\b.jpg', 'x' * 5000, '# a comment']


@pytest.mark.parametrize('line', [*BAD_PATHS, ' a.jpg', 'a.jpg 17', 'a.jpg\rb.jpg'])
def test_bad_line_of_a_path_list_is_named(tmp_path, line):
    path = write(tmp_path, f'good.jpg\n\n{line}\n')
    with pytest.raises(ValueError, match=r'line 3 of .*list\.txt') as error:
        list(read_path_list(path))
    assert len(str(error.value)) < 800


@pytest.mark.parametrize(
    'content',
    [
        'a/1.jpg 0\nb/2.png 17\n',
        'a/1.jpg 0\r\nb/2.png 17\r\n',
        '\n\na/1.jpg 0\n   \n\tb/2.png\t17',
        '\ufeffa/1.jpg 0\nb/2.png   0017  \n',
    ],
)
def test_labelled_list(tmp_path, content):
    rows = read_labelled_list(write(tmp_path, content))
    assert [row[1:] for row in rows] == [('a/1.jpg', 0), ('b/2.png', 17)]


def test_unusual_names_and_pids(tmp_path):
    path = write(tmp_path, 'Łódź und Zürich/a b.jpg -1\n'.encode() + b'\xff.jpg 999999999999999999')
    first, second = read_labelled_list(path)
    assert first == (f'line 1 of {path}', 'Łódź und Zürich/a b.jpg', -1)
    assert (os.fsencode(second[1]), second[2]) == (b'\xff.jpg', 10**18 - 1)


@pytest.mark.parametrize(
    'line',
    [f'{line} 3' for line in BAD_PATHS]
    + ['b.jpg', 'b.jpg x', 'b.jpg -2', 'b.jpg 1.0', 'b.jpg 9999999999999999999', '7']
    + ['b.jpg 3 4', 'b.txt 3', 'a.jpg 3', 'a.jpg 0'],
)
def test_bad_line_of_a_labelled_list_is_named(tmp_path, line):
    path = write(tmp_path, f'a.jpg 0\n\n{line}\nd.jpg 1\n')
    with pytest.raises(ValueError, match=f'line 3 of {path}'):
        list(read_labelled_list(path))
