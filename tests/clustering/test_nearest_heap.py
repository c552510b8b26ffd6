import numpy as np
import pytest

from passreid.clustering.nearest_heap import maximum, minimum, offer, sort_heap


def empty_heap(size):
    return np.full(size, np.inf, np.float32), np.full(size, -1)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('levels', [3, 10_000])
def test_offers_in_any_order_keep_the_nearest(seed, levels):
    rng = np.random.default_rng(seed)
    line = rng.integers(0, levels, rng.integers(1, 500)).astype(np.float32)
    line[rng.random(len(line)) < 0.1] = np.inf
    size = int(rng.integers(1, 60))
    heap = empty_heap(size)
    cuts = [0, *sorted(rng.integers(0, len(line), 3)), len(line)]
    for piece in rng.permutation(4):
        if cuts[piece] < cuts[piece + 1]:
            offer(line[cuts[piece] : cuts[piece + 1]], cuts[piece], -np.inf, *heap)
    sort_heap(*heap)
    expected = [item for item in np.argsort(line, kind='stable') if line[item] < np.inf][:size]
    exhausted = size - len(expected)
    assert heap[1].tolist() == expected + [-1] * exhausted
    np.testing.assert_array_equal(heap[0], [*line[expected], *[np.inf] * exhausted])


def test_distances_within_noise_are_equal_and_minus_infinity_is_the_nearest():
    heap = empty_heap(4)
    offer(np.array([2, 0.2, -0.3, 0.1, -np.inf], np.float32), 10, 0.5, *heap)
    sort_heap(*heap)
    assert heap[1].tolist() == [14, 11, 12, 13]
    assert heap[0].tolist() == [-np.inf, 0, 0, 0]


@pytest.mark.parametrize('length', [1, 7, 64, 1001])
def test_extremes(length):
    line = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    assert minimum(line) == line.min()
    assert maximum(line) == line.max()
