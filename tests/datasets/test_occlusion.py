import numpy as np
import pytest

from passreid.datasets import FolderReID, Market1501
from passreid.datasets.occlusion import next_of_another, replace_band
from passreid.datasets.storage.decoding import BadImageError
from passreid.datasets.transforms import LoadPersonImage


@pytest.mark.parametrize(
    ('band', 'first', 'last'), [('top', 0, 2), ('middle', 3, 5), ('bottom', 6, 9)]
)
def test_a_third_is_replaced_by_that_of_the_resized_picture(band, first, last):
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (10, 4, 3), dtype=np.uint8)
    # Enlarged by two, bilinear interpolation weighs the nearest two pixels 3 : 1, but at the edges.
    other = generator.integers(0, 64, (5, 2, 3), dtype=np.uint8) * 4
    wide = other[:, [0, 0, 1, 1]] * 0.75 + other[:, [0, 1, 0, 1]] * 0.25
    above, below = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4], [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    share = np.array([0.75, 0.25] * 5)[:, None, None]
    expected = image.astype(float)
    expected[first : last + 1] = (wide[above] * (1 - share) + wide[below] * share)[first : last + 1]
    before = image.copy()
    mixed = replace_band(image, other, band)
    assert (mixed.dtype, mixed.shape) == (np.uint8, image.shape)
    # Half a level of rounding.
    np.testing.assert_allclose(mixed, expected, atol=0.5)
    assert np.array_equal(image, before)


def test_next_of_another_is_that_of_a_slow_search():
    generator = np.random.default_rng(0)
    for count, persons in ((1, 3), (2, 2), (9, 1), (30, 2), (30, 9)):
        pids = generator.integers(0, persons, count)
        if len(set(pids.tolist())) == 1:
            assert next_of_another(pids).shape == (0,)
            continue
        for place, found in enumerate(next_of_another(pids).tolist()):
            steps = range(place + 1, place + count)
            assert found == next(n % count for n in steps if pids[n % count] != pids[place])
    assert next_of_another(np.zeros(0, np.int64)).shape == (0,)


# Each image has one grey value: 10, 11, ... in this order.
QUERIES = ['0002_c1s1_0.jpg', '0002_c2s1_0.jpg', '0007_c1s1_0.jpg', '0009_c1s1_0.jpg']


@pytest.fixture
def people(tmp_path, write_images):
    write_images(tmp_path / 'query', QUERIES)
    write_images(tmp_path / 'bounding_box_test', ['0002_c3s1_0.jpg', '0007_c3s1_0.jpg'])
    return tmp_path


def load(people, band, kind=Market1501, **options):
    pipeline = [LoadPersonImage(occlude_queries=band)]
    return kind(str(people), 'test', pipeline=pipeline, **options)


def rows(sample):
    """Return the grey value of each row of an image."""
    image = sample['img']
    assert (image == image[:, :1, :1]).all()
    return image[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ('band', 'first', 'end'), [('top', 0, 2), ('middle', 2, 5), ('bottom', 5, 8)]
)
def test_queries_are_occluded_by_the_next_person_and_the_gallery_is_whole(people, band, first, end):
    own, occluders = [10, 11, 12, 13], [12, 12, 13, 10]
    whole, occluded = load(people, None), load(people, band)
    for query, (value, other) in enumerate(zip(own, occluders, strict=True)):
        inside = [first <= row < end for row in range(8)]
        assert rows(occluded[query]) == [other if hidden else value for hidden in inside]
        assert rows(whole[query]) == [value] * 8
    assert [rows(occluded[place]) for place in (4, 5)] == [[10] * 8, [11] * 8]
    for name in ('img_path', 'gt_label', 'cam_id', 'is_query', 'sample_idx'):
        assert [one[name] for one in whole] == [one[name] for one in occluded]


def test_rule_looks_at_all_queries_of_any_data_set(people):
    folders = dict(query='query', gallery='bounding_box_test')
    pattern = r'(?P<pid>\d+)_c(?P<camera>\d)'
    dataset = load(people, 'top', FolderReID, folders=folders, pattern=pattern, indices=[1, 4])
    assert rows(dataset[0]) == [12] * 2 + [11] * 6 and rows(dataset[1]) == [10] * 8


def test_what_cannot_be_occluded(people):
    (people / 'query' / QUERIES[2]).write_bytes(b'')
    assert rows(load(people, None)[0]) == [10] * 8
    with pytest.raises(BadImageError, match=QUERIES[2]):
        load(people, 'top')[0]
    for name in QUERIES[2:]:
        (people / 'query' / name).unlink()
    with pytest.raises(ValueError, match='two persons'):
        load(people, 'top')[0]
    with pytest.raises(ValueError, match="'left'"):
        LoadPersonImage(occlude_queries='left')
