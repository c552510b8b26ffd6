import pytest

from passreid.datasets import DukeMTMCReID
from passreid.registry import DATASETS


@pytest.fixture
def root(tmp_path, write_images):
    write_images(tmp_path / 'bounding_box_train', ['0005_c2_f0046985.jpg', '0001_c8_f1.jpg'])
    write_images(tmp_path / 'query', ['0005_c2_f0046985.jpg'])
    write_images(tmp_path / 'bounding_box_test', ['0005_c3_f0046985.jpg', '0007_c1_f1.jpg'])
    return tmp_path


def test_splits(root):
    train = DukeMTMCReID(str(root))
    assert (train.pids.tolist(), train.cam_ids.tolist()) == ([0, 1], [7, 1])
    test = DukeMTMCReID(str(root), 'test')
    assert (test.pids.tolist(), test.cam_ids.tolist()) == ([5, 5, 7], [1, 2, 0])
    assert [test.get_data_info(idx)['is_query'] for idx in range(3)] == [True, False, False]


def test_published_counts(root, log):
    DukeMTMCReID(str(root))
    DukeMTMCReID(str(root), 'test')
    for images, ids, split in ((16522, 702, 'train'), (2228, 702, 'query'), (17661, 1110, 'gal')):
        assert f'published with {images} images of {ids} ids in its {split}' in log()


def test_folder_above_and_error(root):
    (root / 'DukeMTMC-reID').mkdir()
    (root / 'query').rename(root / 'DukeMTMC-reID' / 'query')
    assert len(DATASETS.build({'type': 'DukeMTMCReID', 'data_root': str(root), 'split': 'query'}))
    with pytest.raises(FileNotFoundError, match=r'DukeMTMCReID not found in (.*\n)+.*x_test/'):
        DukeMTMCReID(str(root / 'DukeMTMC-reID'), 'gallery')


def test_unknown_name(root):
    (root / 'query' / 'x.jpg').touch()
    with pytest.raises(ValueError, match=r'does not begin with .* \(like 0005_c2_f0046985.jpg\)'):
        DukeMTMCReID(str(root), 'query')
