"""A few pictures and their mean colours; run as a script, it records them anew."""

import json
from pathlib import Path

import cv2
import numpy as np

from passreid.datasets.rendering import DOMAINS, GENERATOR_VERSION, Picture, render

FINGERPRINT = Path(__file__).parent / 'data' / 'rendering_fingerprint.json'
# Many, since a change of how often something occurs shows in few of them.
PICTURES = [
    Picture(0, domain, split, 17 * number, number % 6, network, number % 4, cameras, (128, 64))
    for domain in DOMAINS
    for number in range(30)
    for split, network, cameras in (('test', 'labelled', 4), ('unlabelled', 'pool', 12))
]


def block_means(picture: Picture) -> np.ndarray:
    """Mean colours of 8 x 4 blocks of a picture, (8, 4, 3)."""
    image, _ = render(picture)
    return cv2.resize(image.astype(np.float32), (4, 8), interpolation=cv2.INTER_AREA)


if __name__ == '__main__':
    means = [np.rint(block_means(picture)).astype(int).tolist() for picture in PICTURES]
    record = {'generator_version': GENERATOR_VERSION, 'block_means': means}
    FINGERPRINT.write_text(json.dumps(record) + '\n')
