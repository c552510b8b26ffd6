"""Named streams of random numbers."""

import zlib

import numpy as np


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """Return the generator of one thing, independent of which others were drawn before.

    Args:
        seed: Seed of the whole data set.
        *names: What the numbers are for, such as a domain, a split and an index.

    Returns:
        A fresh generator.
    """
    words = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
    return np.random.default_rng([seed, *words])
