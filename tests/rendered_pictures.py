"""Rendered pictures: their fingerprint, which this file run as a script records anew, and how
difficult they are for a color histogram."""

import json
from pathlib import Path

import cv2
import numpy as np

from passreid.evaluation.functional import evaluate_rank
from passreid.rendering import DOMAINS, GENERATOR_VERSION, Picture, SyntheticSettings, render
from passreid.rendering.plan import plan_files

FINGERPRINT = Path(__file__).parent / 'data' / 'rendering_fingerprint.json'
# Many, since a change of how often something occurs shows in few of them.
PICTURES = [
    Picture(0, domain, split, 17 * number, number % 6, network, number % 4, cameras, (128, 64))
    for domain in DOMAINS
    for number in range(30)
    for split, network, cameras in (('test', 'labelled', 4), ('unlabelled', 'pool', 12))
]


def block_means(picture: Picture) -> np.ndarray:
    """Mean colors of 8 x 4 blocks of a picture, (8, 4, 3)."""
    image, _ = render(picture)
    return cv2.resize(image.astype(np.float32), (4, 8), interpolation=cv2.INTER_AREA)


def histogram_map(settings: SyntheticSettings) -> float:
    """Mean average precision of nearest neighbors on HSV 8x8x8 histograms in L1 distance.

    Market-1501 protocol: of the gallery, pictures of the same person by the same camera do not
    count. The pictures are JPEG files, as in a generated data set.
    """
    files = [file for file in plan_files(settings) if file.picture.split == 'test']
    features = np.stack([_histogram(file) for file in files])
    pids = np.array([file.pid for file in files])
    cameras = np.array([file.picture.camera for file in files])
    is_query = np.array([file.path.startswith('query') for file in files])

    query, gallery = features[is_query], features[~is_query]
    distances = np.stack([np.abs(gallery - feature).sum(axis=1) for feature in query])
    labels = (values[rows] for values in (pids, cameras) for rows in (is_query, ~is_query))
    return evaluate_rank(distances, *labels).mAP


def _histogram(file) -> np.ndarray:
    image, quality = render(file.picture)
    _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    hsv = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2HSV)
    ranges = [0, 180, 0, 256, 0, 256]
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], ranges).ravel()
    return counts / counts.sum()


if __name__ == '__main__':
    means = [np.rint(block_means(picture)).astype(int).tolist() for picture in PICTURES]
    record = {'generator_version': GENERATOR_VERSION, 'block_means': means}
    FINGERPRINT.write_text(json.dumps(record) + '\n')
