"""Market-1501 and the data sets of its layout."""

import pytest

from passreid.datasets import CUHK03NP, DukeMTMCReID, Market1501, OccludedDuke

SPLITS = {'train': 'bounding_box_train', 'query': 'query', 'gallery': 'bounding_box_test'}


@pytest.fixture
def root(tmp_path, write_images):
    write_images(
        tmp_path / 'bounding_box_train',
        ['0007_c3s1_000001_00.jpg', '0002_c1s1_000451_03.jpg', '0002_c6s2_000451_03.jpg']
        + ['0000_c1s1_000001_00.jpg', '-1_c1s1_000001_00.jpg'],
    )
    write_images(tmp_path / 'query', ['1501_c2s1_000001_00.jpg'])
    write_images(
        tmp_path / 'bounding_box_test',
        ['-1_c1s1_000401_03.jpg', '0000_c4s1_000151_01.jpg', '1501_c5s1_000001_00.jpg'],
    )
    (tmp_path / 'query' / 'Thumbs.db').touch()
    return tmp_path


def rows(dataset):
    columns = dataset.pids.tolist(), dataset.cam_ids.tolist()
    names = [dataset.image_name(idx).rpartition('/')[2] for idx in range(len(dataset))]
    return list(zip(names, *columns, strict=True))


def test_junk_is_dropped_and_distractors_stay_in_the_gallery(root):
    assert rows(Market1501(str(root))) == [
        ('0002_c1s1_000451_03.jpg', 0, 0),
        ('0002_c6s2_000451_03.jpg', 0, 5),
        ('0007_c3s1_000001_00.jpg', 1, 2),
    ]
    assert rows(Market1501(str(root), 'test')) == [
        ('1501_c2s1_000001_00.jpg', 1501, 1),
        ('0000_c4s1_000151_01.jpg', 0, 3),
        ('1501_c5s1_000001_00.jpg', 1501, 4),
    ]


@pytest.mark.parametrize(
    ('kind', 'options', 'folder', 'name', 'counts'),
    [
        (Market1501, {}, 'Market-1501-v15.09.15', '0003_c2s1_000001_00.jpg', '12936 3368 15913'),
        (DukeMTMCReID, {}, 'DukeMTMC-reID', '0005_c2_f0046985.jpg', '16522 2228 17661'),
        (OccludedDuke, {}, 'Occluded_Duke', '0005_c2_f1.jpg', '15618 2210 17661'),
        (CUHK03NP, {}, 'cuhk03-np/detected', '0002_c2_3.png', '7365 1400 5332'),
        (CUHK03NP, {'variant': 'labelled'}, 'cuhk03-np/labeled', '0002_c2.png', '7368 1400 5328'),
    ],
)
def test_data_sets_of_this_layout(tmp_path, write_images, log, kind, options, folder, name, counts):
    """Found in the folder above, of pid 0 in train, compared with published counts."""
    for (split, inner), images in zip(SPLITS.items(), counts.split(), strict=True):
        write_images(tmp_path / folder / inner, [name, '0009_c8_f1.jpg'])
        dataset = kind(str(tmp_path), split, **options)
        assert dataset.image_name(0) == f'{tmp_path}/{folder}/{inner}/{name}'
        labels = [0, 1] if split == 'train' else [int(name[:4]), 9]
        assert dataset.pids.tolist() == labels
        assert dataset.cam_ids.tolist() == [1, 7]
        assert f'published one {images} of' in log()


def test_what_a_user_gets_wrong(root):
    with pytest.raises(FileNotFoundError, match='labeled/bounding_box_train/'):
        CUHK03NP(str(root), variant='labeled')
    with pytest.raises(ValueError, match="'both'"):
        CUHK03NP(str(root), variant='both')
    (root / 'query' / '2_c0s1.jpg').touch()
    with pytest.raises(ValueError, match=f'{root}/query/2_c0s1.jpg'):
        Market1501(str(root), 'query')
