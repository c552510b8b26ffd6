"""Galleries of random features for tests of stores."""

import numpy as np

from passreid.search import GalleryRecord

DIM = 12
MODEL = 'model-1'
# Names of files that break out of badly quoted expressions, and what may look like patterns.
NASTY = [
    'a"b.jpg',
    "it's.jpg",
    'back\\slash\\',
    'new\nline\r\ttab',
    '" or path != "',
    "' or 1 == 1 --",
    '%_*{x}$meta["y"]',
    'ünï/人\u2028.jpg',
    '\x01\x7f',
]


def random_features(number, dim=DIM, seed=0):
    """Draw features ``(number, dim)`` float32 of any length."""
    return np.random.default_rng(seed).standard_normal((number, dim)).astype(np.float32)


def records(number, start=0):
    """Make records with cameras from -1 to 2, times that are now and then unknown, and fields."""
    return [_record(place) for place in range(start, start + number)]


def _record(place):
    weather = ('sun', 'rain')[place % 2]
    fields = dict(weather=weather, frame=place, size=place / 4, old=place % 3 == 0)
    time = None if place % 5 == 0 else float(place)
    return GalleryRecord(
        f'{place:04}.jpg', place % 4 - 1, time, fields if place % 6 else {}, f's{place}'
    )


def literal_search(features, known, query, topk, keep=lambda record: True):
    """Search with a loop; return paths and similarities."""
    wide = features.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1)[:, None]
    similarities = unit @ (query / np.linalg.norm(query.astype(np.float64)))
    ranked = sorted(range(len(known)), key=lambda place: (-similarities[place], known[place].path))
    kept = [place for place in ranked if keep(known[place])][:topk]
    return [known[place].path for place in kept], similarities[kept]
