import numpy as np
import pytest
import torch
from literal_definitions import random_people

from passreid.evaluation.functional.labels import RankingLabels


@pytest.mark.parametrize('seed', range(20))
def test_both_ways_remove_the_same(seed):
    distances, labels, same_image = random_people(seed)
    labels = RankingLabels.check(*labels, same_image)
    ours, theirs = torch.tensor(distances), torch.tensor(distances)
    labels.remove_(ours, 0)
    assert labels.remove_on_device_(theirs).all()
    assert torch.equal(ours, theirs)
    removed = ours.isinf().numpy()
    same = (labels.query_pids[:, None] == labels.gallery_pids) & (
        labels.query_cam_ids[:, None] >= 0
    )
    same &= labels.query_cam_ids[:, None] == labels.gallery_cam_ids
    same[np.arange(len(same)), same_image] |= same_image >= 0
    np.testing.assert_array_equal(removed, same)


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_found_on_the_device(value):
    labels = RankingLabels.check([1, 1, 1], [2, 1], [0, 0, 0], [1, 0])
    distances = torch.zeros(3, 2)
    distances[1, 1] = value
    assert labels.remove_on_device_(distances.clone()).tolist() == [True, False, True]
    with pytest.raises(ValueError, match='query 11 are'):
        labels.remove_(distances, 10)


def test_rows_and_items_are_parts():
    _, labels, same_image = random_people(7)
    labels = RankingLabels.check(*labels, same_image)
    for rows in (slice(0, 3), slice(2, 4)):
        part = labels.rows(rows)
        expected = RankingLabels.check(
            labels.query_pids[rows],
            labels.gallery_pids,
            labels.query_cam_ids[rows],
            labels.gallery_cam_ids,
            same_image[rows],
        )
        for one, two in zip(part.same_identity, expected.same_identity, strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(part.same_image, expected.same_image)
    chosen = np.array([0, 3, 4])
    few = labels.items(chosen)
    np.testing.assert_array_equal(few.gallery_pids, labels.gallery_pids[chosen])
    items, first, last = few.same_identity
    for pid, start, stop in zip(few.query_pids, first, last, strict=True):
        assert items[start:stop].tolist() == np.flatnonzero(few.gallery_pids == pid).tolist()


def test_pairs_of_one_identity():
    labels = RankingLabels.check([3, 1, 9, 3], [1, 3, 3, 2, 1], [0] * 4, [0] * 5)
    for part, first in ((labels, 0), (labels.rows(slice(1, 4)), 1)):
        pairs = {
            (int(row) + first, int(item))
            for row, item in zip(*part.same_identity.pairs(), strict=True)
        }
        every = {(0, 1), (0, 2), (1, 0), (1, 4), (3, 1), (3, 2)}
        assert pairs == {pair for pair in every if pair[0] >= first}
