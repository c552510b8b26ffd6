import numpy as np
import pytest
from literal_definitions import (
    expanded_rows,
    expanded_sets,
    neighbor_lists,
    people,
    squared_distances,
    weighted_rows,
)

from passreid.clustering.reciprocal import reciprocal_rows, reciprocal_sets


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
def test_sets_equal_the_definition(number, num_ids, k, length, spread):
    features, _ = people(k, number, num_ids, spread=spread)
    lists = neighbor_lists(squared_distances(features), length)
    assert as_lists(*reciprocal_sets(np.array(lists), k)) == expanded_sets(lists, k)


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


@pytest.mark.parametrize('k2', [1, 2, 6])
@pytest.mark.parametrize('length', [1, 30])  # So long that a plain exponential overflows.
def test_rows_equal_the_definition(k2, length):
    features, _ = people(0, 60, 5, dims=19)
    features = features / np.linalg.norm(features, axis=1, keepdims=True) * np.float32(length)
    distances = squared_distances(features)
    lists = neighbor_lists(distances, 9)
    scales = np.linspace(0.5, 2, 60).astype(np.float32)
    squares = (features**2).sum(1)
    rows = reciprocal_rows(features, np.array(lists), 8, k2, 9, squares, scales)
    expected = weighted_rows(expanded_sets(lists, 8), distances * scales[:, None])
    expected = expanded_rows(expected, lists, k2)
    np.testing.assert_allclose(rows.toarray(), expected, rtol=0, atol=2e-6 * length**2)
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-6)
    assert rows.has_sorted_indices
    assert rows.dtype == np.float32
