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
FOLDERS = {'V1': ('train', 'test'), 'V2': ('mask_train_v2', 'mask_test_v2')}


@pytest.fixture(params=FOLDERS)
def layout(request):
    return FOLDERS[request.param]


def write(root, write_images, layout):
    for name, lines in LISTS.items():
        folder = layout[name in ('list_query.txt', 'list_gallery.txt')]
        write_images(root / folder, [line.split()[0] for line in lines])
        (root / name).write_text('\n'.join(lines) + '\n')
    return root


@pytest.fixture
def root(tmp_path, write_images, layout):
    return write(tmp_path, write_images, layout)


def rows(dataset):
    return [
        (info['img_path'], info['gt_label'], info['cam_id'], info['is_query'])
        for info in map(dataset.get_data_info, range(len(dataset)))
    ]


def test_train_is_train_and_val_and_pid_0_is_a_person(root, layout):
    folder = root / layout[0]
    dataset = MSMT17(str(root))
    assert rows(dataset) == [
        (f'{folder}/0000/0000_000_01_0303morning_0015_0.jpg', 0, 0, False),
        (f'{folder}/0002/0002_004_15_0303noon_0015_0_ex.jpg', 1, 14, False),
        (f'{folder}/0000/0000_001_03_0303afternoon_0015_0.jpg', 0, 2, False),
    ]
    assert (dataset.num_ids, dataset.num_cameras) == (2, 3)


def test_test_keeps_its_pids(root, layout):
    dataset = MSMT17(str(root), 'test')
    folder = root / layout[1]
    assert rows(dataset)[0] == (f'{folder}/0000/0000_000_14_0303morning_0008_1.jpg', 0, 13, True)
    assert dataset.pids.tolist() == [0, 0, 1, 2]
    assert dataset.cam_ids.tolist() == [13, 6, 0, 1]
    assert len(MSMT17(str(root), 'query')) == 1
    assert len(MSMT17(str(root), 'gallery')) == 3


@pytest.mark.parametrize('name', ['MSMT17', 'MSMT17_V1', 'MSMT17_V2', 'msmt17'])
def test_root_may_be_the_folder_above(tmp_path, write_images, name):
    write(tmp_path / name, write_images, FOLDERS['V1'])
    config = {'type': 'MSMT17', 'data_root': str(tmp_path), 'split': 'query'}
    assert len(DATASETS.build(config)) == 1


def test_published_and_quoted_counts(root, log):
    MSMT17(str(root))
    MSMT17(str(root), 'test')
    assert 'MSMT17 is commonly quoted with 32621 images of 1041 ids in its train split' in log()
    assert 'MSMT17 was published with 11659 images of 3060 ids in its query split' in log()
    assert 'MSMT17 was published with 82161 images of 3060 ids in its gallery split' in log()


@pytest.mark.parametrize('lost', ['list_val.txt', 'list_train.txt'])
def test_missing_list_shows_the_tree(root, lost):
    (root / lost).unlink()
    with pytest.raises(FileNotFoundError) as error:
        MSMT17(str(root))
    assert str(error.value) == (
        f'MSMT17 not found in {root}. Expected there or below it as MSMT17 or MSMT17_V1 or '
        f'MSMT17_V2 or msmt17:\n{root}/\n'
        '    train/ or mask_train_v2/\n    test/ or mask_test_v2/\n    list_train.txt\n'
        '    list_val.txt\n    list_query.txt\n    list_gallery.txt'
    )
    # The other split does not need it.
    assert len(MSMT17(str(root), 'test')) == 4


def test_missing_images(root, layout):
    (root / layout[1] / '0001' / '0001_000_01_0303morning_0008_1.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of the 3 files in .*list_gallery.txt'):
        MSMT17(str(root), 'gallery')


def test_image_in_both_lists_of_train(root):
    (root / 'list_val.txt').write_text(LISTS['list_train.txt'][0])
    with pytest.raises(ValueError, match=r'0000_000_01.* is in several of list_train.txt, list_v'):
        MSMT17(str(root))


@pytest.mark.parametrize(
    'name', ['a.jpg', '0_0_x_m_0.jpg', '0_0_00_m_0.jpg', '0_0_-1_m_0.jpg', '0_0_01.jpg']
)
def test_name_without_camera(root, name):
    (root / 'list_query.txt').write_text(f'\n0000/{name} 0')
    with pytest.raises(ValueError, match='line 2 of .*list_query.txt: the third field of'):
        MSMT17(str(root), 'query')


def test_empty_list(root):
    (root / 'list_query.txt').write_text('\n')
    with pytest.raises(ValueError, match='the query split of MSMT17 .* is empty'):
        MSMT17(str(root), 'query')


def test_lists_do_not_lead_elsewhere(root):
    (root / 'list_query.txt').write_text('../secret/0000_000_14_0303morning_0008_1.jpg 0')
    with pytest.raises(ValueError, match='leaves the data root'):
        MSMT17(str(root), 'query')
