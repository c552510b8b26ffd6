import os

import pytest

from passreid.datasets.storage.labelled_list import check_files, read_labelled_list


def read(tmp_path, content):
    path = tmp_path / 'list.txt'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [row[1:] for row in read_labelled_list(str(path))]


@pytest.mark.parametrize(
    'content',
    [
        'a/1.jpg 0\nb/2.png 17\n',
        'a/1.jpg 0\r\nb/2.png 17\r\n',
        '\n\na/1.jpg 0\n   \n\tb/2.png\t17',
        '\ufeffa/1.jpg 0\nb/2.png   0017  \n',
    ],
)
def test_lines(tmp_path, content):
    assert read(tmp_path, content) == [('a/1.jpg', 0), ('b/2.png', 17)]


def test_unusual_names_and_pids(tmp_path):
    assert read(tmp_path, 'Łódź und Zürich/a b.jpg -1\n') == [('Łódź und Zürich/a b.jpg', -1)]
    ((name, pid),) = read(tmp_path, b'\xff.jpg 999999999999999999\n')
    assert (os.fsencode(name), pid) == (b'\xff.jpg', 10**18 - 1)
    assert read(tmp_path, '') == []


@pytest.mark.parametrize(
    ('line', 'problem'),
    [
        ('b.jpg', 'is not the path of an image and a pid'),
        ('b.jpg x', 'is not the path of an image and a pid'),
        ('b.jpg -2', 'is not the path of an image and a pid'),
        ('b.jpg 1.0', 'is not the path of an image and a pid'),
        ('b.jpg 9999999999999999999', 'is not the path of an image and a pid'),
        ('7', 'is not the path of an image and a pid'),
        ('b.jpg 3 4', 'is not one path to an image'),
        ('b.txt 3', 'is not one path to an image'),
        ('../b.jpg 3', 'leaves the data root'),
        ('c/../../b.jpg 3', 'leaves the data root'),
        ('/etc/b.jpg 3', 'leaves the data root'),
        (r'c\b.jpg 3', 'has a backslash'),
        ('a.jpg 3', 'stands in line 1 already'),
        ('a.jpg 0', 'stands in line 1 already'),
    ],
)
def test_bad_line_is_named(tmp_path, line, problem):
    with pytest.raises(ValueError, match=f'line 3 of {tmp_path}/list.txt.*{problem}'):
        read(tmp_path, f'a.jpg 0\n\n{line}\nd.jpg 1\n')


def test_missing_files(tmp_path, write_images, monkeypatch):
    write_images(tmp_path, ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'])
    paths = ['a/1.jpg', 'b/1.jpg', 'a/2.jpg']
    read_folders = []
    listdir = os.listdir
    monkeypatch.setattr(os, 'listdir', lambda path: read_folders.append(path) or listdir(path))
    check_files(str(tmp_path), paths, 'list.txt')
    assert len(read_folders) == 2
    with pytest.raises(FileNotFoundError) as error:
        check_files(str(tmp_path), [*paths, 'b/3.jpg', 'c/1.jpg'], 'list.txt')
    assert str(error.value) == (
        f'2 of the 5 files in list.txt are missing, the first of them {tmp_path}/b/3.jpg'
    )
