import pytest

from passreid.datasets import MSMT17
from passreid.registry import DATASETS

# Two of train, one of val, one query, three of the gallery; pids of train and test overlap.
LISTS = {
    'list_train.txt': ['0000/0000_000_01_0303morning_0015_0.jpg 0']
    + ['0002/0002_004_15_0303noon_0015_0_ex.jpg 2'],
    'list_val.txt': ['0000/0000_001_03_0303afternoon_0015_0.jpg 0'],
    'list_query.txt': ['0000/0000_000_14_0303morning_0008_1.jpg 0'],
    'list_gallery.txt': ['0000/0000_001_07_0303morning_0008_1.jpg 0']
    + ['0001/0001_000_01_0303morning_0008_1.jpg 1', '0002/0002_000_02_0303noon_0008_1.jpg 2'],
}


@pytest.fixture(params=[('train', 'test'), ('mask_train_v2', 'mask_test_v2')], ids=['V1', 'V2'])
def layout(request):
    return request.param


@pytest.fixture
def root(tmp_path, write_images, layout):
    for name, lines in LISTS.items():
        folder = layout[name in ('list_query.txt', 'list_gallery.txt')]
        write_images(tmp_path / 'MSMT17' / folder, [line.split()[0] for line in lines])
        (tmp_path / 'MSMT17' / name).write_text('\n'.join(lines) + '\n')
    return tmp_path / 'MSMT17'


def rows(dataset):
    return [
        (info['img_path'], info['gt_label'], info['cam_id'], info['is_query'])
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def test_train_is_train_and_val_and_pid_0_is_a_person(root, layout):
    folder = root / layout[0]
    dataset = DATASETS.build({'type': 'MSMT17', 'data_root': str(root.parent)})
    assert rows(dataset) == [
        (f'{folder}/0000/0000_000_01_0303morning_0015_0.jpg', 0, 0, False),
        (f'{folder}/0002/0002_004_15_0303noon_0015_0_ex.jpg', 1, 14, False),
        (f'{folder}/0000/0000_001_03_0303afternoon_0015_0.jpg', 0, 2, False),
    ]
    assert dataset.num_ids == 2


def test_test_keeps_its_pids(root, layout):
    dataset = MSMT17(str(root), 'test')
    folder = root / layout[1]
    assert rows(dataset)[0] == (f'{folder}/0000/0000_000_14_0303morning_0008_1.jpg', 0, 13, True)
    assert dataset.pids.tolist() == [0, 0, 1, 2]
    assert dataset.cam_ids.tolist() == [13, 6, 0, 1]


def test_missing_files(root, layout):
    (root / layout[1] / '0001' / '0001_000_01_0303morning_0008_1.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'list_gallery.txt.*0001_000_01'):
        MSMT17(str(root), 'gallery')
    (root / 'list_val.txt').unlink()
    with pytest.raises(FileNotFoundError) as error:
        MSMT17(str(root))
    for line in ('MSMT17_V1', 'train/ or mask_train_v2/', *LISTS):
        assert line in str(error.value)
    # The other split does not need it.
    assert len(MSMT17(str(root), 'query')) == 1
