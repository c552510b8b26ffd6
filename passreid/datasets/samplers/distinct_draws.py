"""Draws without replacement, many at once."""

import numpy as np


def draw_distinct(counts: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw different numbers below each count, or with replacement where there are too few.

    Floyd's algorithm for all rows together: :math:`size^2` comparisons, whatever the counts.

    Args:
        counts (np.ndarray): How many numbers there are to draw from, from 1, (N,) int.
        size (int): How many to draw.
        generator (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: (N, size) int64; row n holds numbers from 0 to ``counts[n]`` - 1.

    Source: Bentley and Floyd, `Programming Pearls: A Sample of Brilliance
    <https://doi.org/10.1145/30401.315746>`_, 1987.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> sorted(draw_distinct(np.array([4]), 4, generator)[0].tolist())
        [0, 1, 2, 3]
    """
    draws = np.empty((len(counts), size), np.int64)
    enough = counts >= size
    for column in range(size):
        # With replacement every number is allowed in every column.
        last = np.where(enough, counts - size + column, counts - 1)
        draw = (generator.random(len(counts)) * (last + 1)).astype(np.int64)
        is_taken = enough & (draws[:, :column] == draw[:, None]).any(axis=1)
        draws[:, column] = np.where(is_taken, last, draw)
    return draws
