"""Named streams of random numbers."""

import zlib

import numpy as np

Rng = np.random.Generator


def generator(seed: int, *names: int | str) -> Rng:
    """Return the generator of one thing, named such as by a domain, a split and an index.

    Its numbers do not depend on which others were drawn before.
    """
    words = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
    return np.random.default_rng([seed, *words])
