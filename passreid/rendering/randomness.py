"""Named streams of random numbers."""

import zlib

import numpy as np


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """Return the generator of one thing, named such as by a domain, a split and an index.

    Its numbers do not depend on which others were drawn before.
    """
    words = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
    return np.random.default_rng([seed, *words])
