"""A few pictures and their mean colours; run as a script, it records them anew."""

import json
from pathlib import Path

import cv2
import numpy as np

from passreid.datasets.rendering import DOMAINS, GENERATOR_VERSION, Picture, render

FINGERPRINT = Path(__file__).parent / 'data' / 'rendering_fingerprint.json'
PICTURES = [
    Picture(0, domain, split, person, index, network, camera, cameras, (128, 64))
    for domain in DOMAINS
    for split, person, index, network, camera, cameras in (
        ('train', 0, 0, 'labelled', 0, 4),
        ('train', 99, 7, 'labelled', 3, 4),
        ('test', 31, 2, 'labelled', 1, 4),
        ('unlabelled', 7, 5, 'pool', 11, 12),
        ('unlabelled', 2499, 3, 'pool', 4, 12),
    )
]


def block_means(picture: Picture) -> np.ndarray:
    """Mean colours of 8 x 4 blocks of a picture, (8, 4, 3)."""
    image, _ = render(picture)
    return cv2.resize(image.astype(np.float32), (4, 8), interpolation=cv2.INTER_AREA)


if __name__ == '__main__':
    means = [np.round(block_means(picture), 1).tolist() for picture in PICTURES]
    record = {'generator_version': GENERATOR_VERSION, 'block_means': means}
    FINGERPRINT.write_text(json.dumps(record) + '\n')
