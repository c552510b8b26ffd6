import numpy as np
import pytest
import torch

from passreid.clustering.nearest_items import nearest_items, nearest_items_on_device


@pytest.mark.parametrize('search', [nearest_items, nearest_items_on_device])
@pytest.mark.parametrize('number', [1, 5, 100, 120])
@pytest.mark.parametrize('levels', [4, 100_000])
def test_nearest_first_and_ties_by_index(search, number, levels):
    rng = np.random.default_rng(number)
    distances = rng.integers(-2, levels, (30, 100)).astype(np.float32)
    distances[rng.random((30, 100)) < 0.3] = np.inf
    nearest, indices = search(torch.tensor(distances), number)
    assert nearest.shape == indices.shape == (30, number)
    assert indices.dtype == np.int64
    for line, values, items in zip(distances, nearest, indices, strict=True):
        expected = [item for item in np.argsort(line, kind='stable') if line[item] < np.inf]
        expected = expected[:number]
        exhausted = number - len(expected)
        assert items.tolist() == expected + [-1] * exhausted
        np.testing.assert_array_equal(values, [*line[expected], *[np.inf] * exhausted])


@pytest.mark.parametrize('search', [nearest_items, nearest_items_on_device])
def test_zeros_of_either_sign_are_equal(search):
    _, indices = search(torch.tensor([[0.0, -0.0, 1.0], [-0.0, 0.0, -1.0]]), 3)
    assert indices.tolist() == [[0, 1, 2], [2, 0, 1]]
