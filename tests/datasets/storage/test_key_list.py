import os
import pickle
import resource

import numpy as np
import pytest

from passreid.datasets.storage.key_list import read_path_list, read_pickled_keys

KEYS = ['01_02_0003_00000004', '01_02_0003_00000005']


def pickled(folder, content):
    path = folder / 'keys.pkl'
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    'content',
    [
        KEYS,
        {'keys': KEYS, 'pids': [7, 8]},
        {'keys': KEYS, 'pids': ['p7', 'p8']},
        pickle.dumps(KEYS, protocol=0),
        pickle.dumps(KEYS, protocol=2),
    ],
)
def test_keys(tmp_path, content):
    assert read_pickled_keys(pickled(tmp_path, content)) == KEYS


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
    with pytest.raises(ValueError, match=r'keys\.pkl: it wants to import posix\.mkdir'):
        read_pickled_keys(pickled(tmp_path, content))
    assert not trap.exists()
    # The pickle is a working one.
    pickle.loads(content)
    assert trap.exists()


def test_extension_codes_are_refused(tmp_path):
    with pytest.raises(ValueError, match='cannot read the key list'):
        read_pickled_keys(pickled(tmp_path, b'\x80\x02\x82\x01)R.'))


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'cannot read the key list'),
        (b'not a pickle', 'cannot read the key list'),
        (pickle.dumps(KEYS)[:-5], 'cannot read the key list'),
        ([1, 2], 'neither a list of str nor a dict'),
        ([b'01_02'], 'neither a list of str nor a dict'),
        ('01_02', 'neither a list of str nor a dict'),
        ({'pids': [1]}, 'neither a list of str nor a dict'),
        ({'keys': KEYS, 'pids': 'ab'}, '"pids"'),
        ({'keys': KEYS, 'pids': [1.5]}, '"pids"'),
        (np.array(KEYS), 'wants to import numpy'),
    ],
)
def test_anything_else_is_refused(tmp_path, content, reason):
    with pytest.raises(ValueError, match=reason) as error:
        read_pickled_keys(pickled(tmp_path, content))
    assert 'keys.pkl' in str(error.value)


def test_missing_key_list(tmp_path):
    with pytest.raises(FileNotFoundError, match='none'):
        read_pickled_keys(str(tmp_path / 'none'))


@pytest.mark.parametrize('end', ['\n', '\r\n'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_path_list(tmp_path, end, mark):
    names = ['a/1.jpg', '#2.png', '', 'b c/ü.JPG', 'a..b/..c.jpg']
    path = tmp_path / 'list.txt'
    path.write_bytes((mark + end.join(names)).encode())
    assert list(read_path_list(str(path))) == [name for name in names if name]


@pytest.mark.parametrize(
    ('line', 'reason'),
    [
        ('../secret.jpg', 'leaves the data root'),
        ('a/../../b.jpg', 'leaves the data root'),
        ('/etc/a.jpg', 'leaves the data root'),
        ('a\\b.jpg', 'backslash'),
        (' a.jpg', 'white space'),
        ('   ', 'white space'),
        ('a.jpg 17', 'not one path to an image'),
        ('# a comment', 'not one path to an image'),
    ],
)
def test_bad_lines_are_named(tmp_path, line, reason):
    path = tmp_path / 'list.txt'
    path.write_text(f'good.jpg\n\n{line}\n')
    with pytest.raises(ValueError, match=rf'line 3 of .*list\.txt.*{reason}'):
        list(read_path_list(str(path)))


@pytest.mark.parametrize('put', [b'r\xff\xff\xff\x7f', b'p2147483647\n'])
def test_number_of_a_memorised_object_takes_no_memory(tmp_path, put):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    content = b'\x80\x02]' + put + pickle.dumps('a', protocol=2)[2:-1] + b'a.'
    assert read_pickled_keys(pickled(tmp_path, content)) == ['a']
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_keys_that_look_like_such_numbers(tmp_path):
    keys = ['person_0001', 'rrrrrrrr']
    for protocol in range(6):
        content = pickle.dumps(keys, protocol=protocol)
        assert read_pickled_keys(pickled(tmp_path, content)) == keys


def test_keys_that_are_no_text(tmp_path):
    with pytest.raises(ValueError, match=r'keys\.pkl has keys that are no text'):
        read_pickled_keys(pickled(tmp_path, ['a', '\ud800']))
    assert read_pickled_keys(pickled(tmp_path, ['\udcff'])) == ['\udcff']


def test_list_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path, tmp_path / 'pipe'):
        with pytest.raises(ValueError, match=f'{path} is no file, but must be a list'):
            list(read_path_list(str(path)))


@pytest.mark.parametrize(
    ('line', 'reason'),
    [('a.jpg\rb.jpg', 'carriage return'), ('x' * 5000 + '.jpg', "'x{200}', is longer than")],
)
def test_lines_that_were_never_one_path(tmp_path, line, reason):
    (tmp_path / 'list.txt').write_bytes(line.encode())
    with pytest.raises(ValueError, match=rf'line 1 of .*list\.txt.*{reason}'):
        list(read_path_list(str(tmp_path / 'list.txt')))
