import numpy as np
import pytest

from passreid.datasets.samplers.distinct_draws import draw_distinct

COUNTS = np.array([1, 2, 3, 7, 8, 9, 1000, 10**9])


@pytest.mark.parametrize('size', [0, 1, 7, 8])
def test_numbers_are_different_where_there_are_enough(size):
    for seed in range(20):
        draws = draw_distinct(COUNTS, size, np.random.default_rng(seed))
        assert draws.shape == (8, size)
        for count, row in zip(COUNTS, draws, strict=True):
            assert ((row >= 0) & (row < count)).all()
            assert count < size or len(set(row.tolist())) == size


def test_every_number_is_equally_likely():
    draws = draw_distinct(np.full(20_000, 5), 3, np.random.default_rng(0))
    frequency = np.bincount(draws.ravel()) / len(draws)
    np.testing.assert_allclose(frequency, 3 / 5, atol=0.02)
    # With replacement, too.
    draws = draw_distinct(np.full(20_000, 2), 3, np.random.default_rng(0))
    assert abs((draws[:, 0] == draws[:, 1]).mean() - 0.5) < 0.02
