"""Extract features of crops by the code of a tracker; `check_trackers.py` runs this.

It runs in the environment of the tracker, where passreid is not installed. Each crop is put into a
frame of its own, with a box around it, as a detector would find it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

# Pixels of a frame around a crop, more than a tracker takes in.
BORDER = 32


def boxmot_encoder(model: str) -> Callable:
    """Return a function from a frame and a box ``(x1, y1, x2, y2)`` to its feature."""
    from boxmot.reid.core.runtime import ReID

    encode = ReID(model, device='cpu')
    return lambda frame, box: encode(frame, np.array([box]))[0]


def ultralytics_encoder(model: str) -> Callable:
    """Return a function from a frame and a box ``(x1, y1, x2, y2)`` to its feature."""
    from ultralytics.trackers.utils.reid import ReID

    encode = ReID(model, device='cpu')

    def encode_box(frame: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
        x1, y1, x2, y2 = box
        center = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
        return encode(frame, np.array([center], np.float32))[0]

    return encode_box


def main() -> None:
    """Read the names of crops from standard input, and write their features ``(N, D)``."""
    tracker, model, out = sys.argv[1:]
    encode = dict(boxmot=boxmot_encoder, ultralytics=ultralytics_encoder)[tracker](model)
    features = []
    for path in sys.stdin.read().splitlines():
        crop = cv2.imread(path)
        frame = cv2.copyMakeBorder(crop, *[BORDER] * 4, cv2.BORDER_REFLECT_101)
        height, width = crop.shape[:2]
        features.append(encode(frame, (BORDER, BORDER, BORDER + width, BORDER + height)))
    np.save(Path(out), np.stack(features).astype(np.float32))


if __name__ == '__main__':
    main()
