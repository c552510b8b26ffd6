import numpy as np
import pytest

from passreid.datasets.hold_out import hold_out


def divide(pids, cam_ids, test_ids, **kwargs):
    splits = hold_out(np.array(pids), np.array(cam_ids), test_ids, **kwargs)
    assert len(splits) == len(pids)
    return splits


def test_persons_of_train_and_test_differ():
    pids = np.random.default_rng(0).integers(0, 50, 600)
    splits = divide(pids, np.arange(600) % 4, 0.3)
    test = set(pids[splits != 'train'].tolist())
    assert len(test) == 15
    assert not test & set(pids[splits == 'train'].tolist())
    # Everyone in test has a query and something to be found.
    assert test == set(pids[splits == 'query'].tolist()) == set(pids[splits == 'gallery'].tolist())


def test_one_query_for_each_person_and_camera():
    pids = [7] * 9 + [8] * 2
    cam_ids = [0] * 3 + [1] * 4 + [2] * 2 + [0] * 2
    splits = divide(pids, cam_ids, [7, 8])
    queries = [(pids[i], cam_ids[i]) for i in np.flatnonzero(splits == 'query')]
    assert sorted(queries) == [(7, 0), (7, 1), (7, 2), (8, 0)]
    assert (splits == 'gallery').sum() == 7


@pytest.mark.parametrize(
    ('cam_ids', 'num_queries'),
    [
        # A single image of a camera stays in the gallery, or the others would have no match.
        ([0, 0, 1], 1),
        ([0, 1, 2], 1),
        ([-1, -1, -1, -1], 1),
        ([0, 1], 1),
        ([0], 0),
    ],
)
def test_single_images(cam_ids, num_queries):
    splits = divide([3] * len(cam_ids), cam_ids, [3])
    assert (splits == 'query').sum() == num_queries
    assert (splits == 'gallery').sum() == len(cam_ids) - num_queries


def test_seed_chooses_persons_and_queries():
    pids, cam_ids = np.repeat(np.arange(20), 6), np.tile([0, 0, 0, 1, 1, 1], 20)
    first, same, other = (divide(pids, cam_ids, 0.5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert set(pids[first == 'train']) != set(pids[other == 'train'])
    # Any image can be a query.
    places = {
        place % 6
        for seed in range(20)
        for place in np.flatnonzero(divide(pids, cam_ids, 0.5, seed=seed) == 'query').tolist()
    }
    assert places == set(range(6))


def test_junk_is_nobody():
    splits = divide([-1, -1, -1, 4, 5], [0] * 5, 0.5)
    assert splits[:3].tolist() == ['gallery'] * 3
    assert sorted(splits[3:].tolist()) == ['gallery', 'train']


@pytest.mark.parametrize('share', [0.0, 0.1, 0.9, 1.0, -3, 7])
def test_share_that_leaves_nobody(share):
    with pytest.raises(ValueError, match=f'test_ids={share} makes .* of 3 persons the test set'):
        divide([1, 2, 3], [0] * 3, share)


def test_unknown_persons():
    with pytest.raises(ValueError, match=r'persons without an image: \[4, 9\]'):
        divide([1, 2, 3], [0] * 3, [2, 9, 4])
