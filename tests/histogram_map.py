"""How far a plain colour histogram gets: the difficulty of the rendered data."""

import cv2
import numpy as np

from passreid.datasets.rendering import SyntheticSettings, render
from passreid.datasets.rendering.plan import plan_files


def histogram_map(settings: SyntheticSettings) -> float:
    """Mean average precision of nearest neighbours on HSV 8x8x8 histograms in L1 distance.

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
    same_person = pids[is_query][:, None] == pids[~is_query]
    junk = same_person & (cameras[is_query][:, None] == cameras[~is_query])
    order = np.argsort(np.where(junk, np.inf, distances), axis=1, kind='stable')
    hits = np.take_along_axis(same_person & ~junk, order, axis=1)
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(axis=1) / hits.sum(axis=1)).mean())


def _histogram(file) -> np.ndarray:
    image, quality = render(file.picture)
    _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    hsv = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2HSV)
    ranges = [0, 180, 0, 256, 0, 256]
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], ranges).ravel()
    return counts / counts.sum()
