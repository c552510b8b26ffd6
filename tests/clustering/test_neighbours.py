import numpy as np
import pytest
import torch
from literal_definitions import neighbour_lists, people, squared_distances

from passreid.clustering import neighbours
from passreid.clustering.distances import squared_lengths
from passreid.clustering.neighbours import mutual_neighbours, nearest_neighbours, search_on_device


@pytest.mark.parametrize('block', [7, 32, 2048])
@pytest.mark.parametrize(
    ('number', 'num_ids', 'k'), [(100, 8, 21), (40, 40, 1), (15, 3, 30), (1, 1, 5)]
)
@pytest.mark.parametrize('spread', [0, 2])
def test_each_item_is_its_own_first_neighbour(monkeypatch, block, number, num_ids, k, spread):
    monkeypatch.setattr(neighbours, 'BLOCK', block)
    features, _ = people(number, number, num_ids, spread=spread)
    found = mutual_neighbours(torch.tensor(features), k)
    distances = squared_distances(features)
    lists = np.array(neighbour_lists(distances, k))
    np.testing.assert_array_equal(found.indices, lists)
    np.testing.assert_array_equal(found.distances, np.take_along_axis(distances, lists, 1))
    np.testing.assert_array_equal(found.farthest, distances.max(1))


@pytest.mark.parametrize('spread', [0, 2])
def test_search_on_the_device_finds_the_same(spread):
    features = torch.tensor(people(3, 90, 7, spread=spread)[0])
    squares = squared_lengths(features)
    ours = mutual_neighbours(features, 15)
    distances, indices, farthest = search_on_device(features, squares, 15, 1e-6 * squares)
    np.testing.assert_array_equal(indices, ours.indices)
    np.testing.assert_array_equal(distances[:, 1:], ours.distances[:, 1:])
    np.testing.assert_array_equal(farthest, ours.farthest)


def test_copies_tie_whatever_rounding_says():
    features = torch.randn(10, 99, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    found = mutual_neighbours(features, 3)
    for item, indices in enumerate(found.indices):
        others = [copy for copy in range(item % 10, 30, 10) if copy != item]
        assert indices.tolist() == [item, *others]
    assert (found.distances == 0).all()


def test_all_alike_are_nowhere_far():
    found = mutual_neighbours(torch.full((9, 33), 0.1), 4)
    assert (found.farthest == 0).all()
    assert found.indices[7].tolist() == [7, 0, 1, 2]


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('k', [1, 6, 60])
def test_nearest_of_another_set(metric, k):
    generator = torch.Generator().manual_seed(0)
    queries, items = (torch.randn(n, 8, generator=generator).double() for n in (21, 50))
    distances, indices = nearest_neighbours(queries.float(), items.float(), k, metric, 5)
    expected = torch.cdist(queries, items).square()
    if metric == 'cosine':
        normal = [side / side.norm(dim=1, keepdim=True) for side in (queries, items)]
        expected = 1 - normal[0] @ normal[1].T
    values, order = expected.sort()
    np.testing.assert_array_equal(indices, order[:, :k])
    np.testing.assert_allclose(distances, values[:, :k], atol=1e-5)
