import pytest

from passreid.datasets import CUHK03NP


@pytest.fixture
def root(tmp_path, write_images):
    for variant, number in (('detected', 2), ('labeled', 3)):
        for folder in ('bounding_box_train', 'query', 'bounding_box_test'):
            names = [f'{pid:04d}_c{1 + pid % 2}_{pid}.png' for pid in range(1, 1 + number)]
            write_images(tmp_path / variant / folder, names)
    return tmp_path


@pytest.mark.parametrize(
    ('variant', 'folder', 'counts'),
    [
        ('detected', 'detected', {'train': 7365, 'query': 1400, 'gallery': 5332}),
        ('labeled', 'labeled', {'train': 7368, 'query': 1400, 'gallery': 5328}),
        ('labelled', 'labeled', {'train': 7368, 'query': 1400, 'gallery': 5328}),
    ],
)
def test_variants(root, log, variant, folder, counts):
    size = {'detected': 2, 'labeled': 3}[folder]
    for split, count in counts.items():
        dataset = CUHK03NP(str(root), split, variant=variant)
        assert len(dataset) == dataset.num_ids == size
        assert f'/{folder}/' in dataset.image_name(0)
        ids = 767 if split == 'train' else 700
        assert f'published with {count} images of {ids} ids in its {split} split' in log()
    assert dataset.cam_ids.tolist() == [1, 0, 1][:size]
    # Nothing of one variant reaches another.
    assert CUHK03NP.folders['train'] == 'bounding_box_train'


def test_folder_above(root):
    (root / 'cuhk03-np').mkdir()
    (root / 'detected').rename(root / 'cuhk03-np' / 'detected')
    assert len(CUHK03NP(str(root))) == 2
    with pytest.raises(FileNotFoundError, match='cuhk03-np.*\n.*\n *labeled/bounding_box_train/'):
        CUHK03NP(str(root / 'cuhk03-np'), variant='labeled')


def test_unknown_variant(root):
    with pytest.raises(ValueError, match="'detected' or 'labeled', but is 'both'"):
        CUHK03NP(str(root), variant='both')
