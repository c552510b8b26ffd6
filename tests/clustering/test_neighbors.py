import numpy as np
import pytest
import torch
from literal_definitions import neighbor_lists, people, squared_distances
from torch.nn import functional as F

from passreid.clustering import neighbors
from passreid.clustering.neighbors import (
    NOISE,
    distance_chunks,
    mutual_neighbors,
    nearest_by_sorting,
    nearest_items,
    nearest_neighbors,
    prepare_metric,
    row_chunks,
    search_rows,
    squared_lengths,
)

SEARCHES = pytest.mark.parametrize('search', [nearest_items, nearest_by_sorting])


@SEARCHES
@pytest.mark.parametrize('number', [0, 1, 5, 300, 320])
@pytest.mark.parametrize('levels', [4, 100_000])
def test_nearest_first_and_ties_by_index(search, number, levels):
    rng = np.random.default_rng(number)
    distances = rng.integers(-2, levels, (30, 300)).astype(np.float32)
    distances[rng.random((30, 300)) < 0.3] = np.inf
    nearest, indices = search(torch.tensor(distances), number)
    assert nearest.shape == indices.shape == (30, number)
    assert indices.dtype == np.int64
    for line, values, items in zip(distances, nearest, indices, strict=True):
        expected = [item for item in np.argsort(line, kind='stable') if line[item] < np.inf]
        expected = expected[:number]
        exhausted = number - len(expected)
        assert items.tolist() == expected + [-1] * exhausted
        np.testing.assert_array_equal(values, [*line[expected], *[np.inf] * exhausted])


@pytest.mark.parametrize('block', [7, 32, 2048])
@pytest.mark.parametrize(
    ('number', 'num_ids', 'k'), [(100, 8, 21), (40, 40, 1), (15, 3, 30), (1, 1, 5)]
)
@pytest.mark.parametrize('spread', [0, 2])
def test_each_item_is_its_own_first_neighbor(monkeypatch, block, number, num_ids, k, spread):
    monkeypatch.setattr(neighbors, 'BLOCK', block)
    features, _ = people(number, number, num_ids, spread=spread)
    calls = []
    found = mutual_neighbors(torch.tensor(features), k, lambda *call: calls.append(call))
    distances = squared_distances(features)
    squares = squared_lengths(torch.tensor(features))
    on_device = search_rows(torch.tensor(features), squares, NOISE * squares, min(k, number))
    for indices, farthest in (found, on_device):
        np.testing.assert_array_equal(indices, neighbor_lists(distances, k))
        np.testing.assert_array_equal(farthest, distances.max(1))
    assert calls == [(done, len(calls)) for done in range(1, len(calls) + 1)]


def test_copies_tie_whatever_rounding_says():
    features = torch.randn(10, 99, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    for item, indices in enumerate(mutual_neighbors(features, 3)[0]):
        others = [copy for copy in range(item % 10, 30, 10) if copy != item]
        assert indices.tolist() == [item, *others]


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
@pytest.mark.parametrize('k', [1, 6, 60])
def test_nearest_of_another_set(metric, k):
    generator = torch.Generator().manual_seed(0)
    queries, items = (torch.randn(n, 8, generator=generator).double() for n in (21, 50))
    expected = torch.cdist(queries, items).square()
    if metric == 'cosine':
        expected = 1 - F.normalize(queries) @ F.normalize(items).T
    values, order = expected.sort()
    distances, indices = nearest_neighbors(queries.float(), items.float(), k, metric, 5)
    np.testing.assert_array_equal(indices, order[:, :k])
    np.testing.assert_allclose(distances, values[:, :k], atol=1e-5)
    chunks = [
        chunk.clone() for chunk in distance_chunks(queries.float(), items.float(), metric, 10)
    ]
    torch.testing.assert_close(torch.cat(chunks).double(), expected, atol=1e-5, rtol=0)


def test_chunks_take_32_mib_and_have_128_rows_at_least():
    for columns, expected in ((10_000, 838), (82_161, 128), (10**9, 128)):
        assert next(row_chunks(10**6, columns)) == slice(0, expected)
    assert list(row_chunks(10, 5, 4)) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    with pytest.raises(ValueError, match='chunk_size is 0'):
        next(row_chunks(10, 10, 0))


def test_metrics():
    (features,) = prepare_metric('cosine', torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(features, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    with pytest.raises(ValueError, match='dot'):
        prepare_metric('dot', features)
