import numpy as np
import pytest
from literal_definitions import expanded_sets, neighbour_lists, people, squared_distances

from passreid.clustering.reciprocal_sets import reciprocal_sets


def as_lists(starts, members):
    return [members[a:b].tolist() for a, b in zip(starts[:-1], starts[1:], strict=True)]


@pytest.mark.parametrize(
    ('number', 'num_ids', 'k', 'length'),
    [
        (150, 12, 20, 21),  # As re-ranking counts: the item itself is one more.
        (150, 12, 20, 20),  # As clustering counts.
        (150, 30, 5, 6),  # Halves to even: 2.5 is 2,
        (150, 30, 7, 8),  # and 3.5 is 4.
        (60, 60, 1, 1),
        (9, 2, 20, 9),
    ],
)
@pytest.mark.parametrize('spread', [0, 3, 8])
def test_equal_the_definition(number, num_ids, k, length, spread):
    features, _ = people(k, number, num_ids, spread=spread)
    lists = neighbour_lists(squared_distances(features), length)
    found = reciprocal_sets(np.array(lists), k)
    assert as_lists(*found) == expanded_sets(lists, k)
    assert found[0].dtype == np.int64
    assert found[1].dtype == np.int32


@pytest.mark.parametrize(('inside', 'joins'), [(2, False), (3, True)])
def test_exactly_two_thirds_is_not_enough(inside, joins):
    # Item 1 is reciprocal to 0, and its own half is {0, 1, 2}; without 2 in the core of 0 just two
    # of three are inside.
    lists = [[0, 1, 2], [1, 0, 2], [2, 1, 0]]
    if inside == 2:
        lists = [[0, 1, 3], [1, 0, 2], [2, 1, 3], [3, 2, 1]]
    sets = as_lists(*reciprocal_sets(np.array(lists), k=4))
    assert (2 in sets[0]) == joins
    assert sets == expanded_sets(lists, 4)
