"""Queries of which another person hides a third."""

import cv2
import numpy as np

BANDS = ('top', 'middle', 'bottom')


def replace_band(image: np.ndarray, other: np.ndarray, band: str) -> np.ndarray:
    """Replace a third of an image by the same third of another.

    Args:
        image (np.ndarray): (H, W, 3) uint8; it is not changed.
        other (np.ndarray): (h, w, 3) uint8, resized to (H, W) bilinearly before it is cut.
        band (str): 'top', 'middle' or 'bottom': the rows from k * H // 3 to (k + 1) * H // 3,
            the second excluded, with k = 0, 1 or 2.

    Returns:
        np.ndarray: (H, W, 3) uint8.
    """
    height, width = image.shape[:2]
    place = BANDS.index(band)
    rows = slice(place * height // 3, (place + 1) * height // 3)
    mixed = image.copy()
    mixed[rows] = cv2.resize(other, (width, height))[rows]
    return mixed


def next_of_another(pids: np.ndarray) -> np.ndarray:
    """Return the place of the next one of another person for each of ``pids``, both (N,) int64.

    After the last comes the first. With fewer than two persons the result is empty.
    """
    twice = np.concatenate([pids, pids])
    changes = np.flatnonzero(np.diff(twice)) + 1
    if not len(changes):
        return changes
    return changes[np.searchsorted(changes, np.arange(len(pids)), side='right')] % len(pids)
