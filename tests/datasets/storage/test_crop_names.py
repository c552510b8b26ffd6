import pytest

from passreid.datasets.storage.crop_names import CropNames

ID_CAM = r'(?P<pid>[^_]+)_(?P<camera>\d+)_'


@pytest.mark.parametrize(
    ('pattern', 'path', 'found'),
    [
        (ID_CAM, '0042_3_17.jpg', ('0042', 3)),
        # The file name counts, not its folders.
        (ID_CAM, '01_02/anna_5_17.jpg', ('anna', 5)),
        (ID_CAM, 'anna_x_17.jpg', None),
        # From the beginning.
        (r'(?P<pid>\d+)', 'x12.jpg', None),
        (r'(?P<pid>\d+)(_c(?P<camera>\d))?', '12.jpg', ('12', -1)),
        (r'(?P<pid>\d+)', '12_c3.jpg', ('12', -1)),
        (r'(?P<pid>\d*)', 'x.jpg', None),
        # With a '/', the path counts.
        (r'(?P<camera>\w+)/(?P<pid>\w+)/', '07/anna/1.jpg', ('anna', 7)),
        (r'(?P<camera>\w+)/(?P<pid>\w+)/', 'anna_7_1.jpg', None),
        # Paths of Windows.
        (ID_CAM, '01_02\\anna_5_17.jpg', ('anna', 5)),
        (r'(?P<camera>\w+)/(?P<pid>\w+)/', '07\\anna\\1.jpg', ('anna', 7)),
    ],
)
def test_names(pattern, path, found):
    assert CropNames(pattern).read(path) == found


@pytest.mark.parametrize(
    ('pattern', 'path', 'found'),
    [
        (None, 'anna b/1.jpg', ('anna b', -1)),
        (None, 'Łukasz/day/1.jpg', ('Łukasz', -1)),
        (None, '1.jpg', None),
        (r'.*_c(?P<camera>\d)', 'anna/1_c4.jpg', ('anna', 4)),
        (r'.*_c(?P<camera>\d)', 'anna/1.jpg', None),
        (r'[^/]+/(?P<camera>[^/]+)/', 'anna/2/1.jpg', ('anna', 2)),
        (None, 'anna b\\day\\1.jpg', ('anna b', -1)),
        (r'[^/]+/(?P<camera>[^/]+)/', 'anna\\2\\1.jpg', ('anna', 2)),
    ],
)
def test_folders(pattern, path, found):
    assert CropNames(pattern, 'folder').read(path) == found


def test_camera_may_be_text():
    (_, entrance), (_, exit_) = map(
        CropNames(r'(?P<pid>\d+)_(?P<camera>\w+)\.').read, ('1_entrance.jpg', '1_exit.jpg')
    )
    assert entrance != exit_
    assert min(entrance, exit_) >= 0


@pytest.mark.parametrize(
    ('pattern', 'pid_from', 'message'),
    [
        ('(?P<pid>', 'name', 'is no regular expression'),
        (None, 'name', r'the person needs the group \(\?P<pid>'),
        (r'(?P<camera>\d)', 'name', r'the person needs the group \(\?P<pid>'),
        (r'(?P<pid>\d)_(?P<cam>\d)', 'name', r"named groups \['cam', 'pid'\]"),
        (r'(?P<pid>\d)', 'folder', 'excludes the group "pid"'),
        (r'(?P<pid>\d)', 'path', "pid_from must be 'name' or 'folder', but is 'path'"),
    ],
)
def test_wrong_arguments(pattern, pid_from, message):
    with pytest.raises(ValueError, match=message):
        CropNames(pattern, pid_from)
