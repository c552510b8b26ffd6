"""Fixtures of the data sets' tests."""

import cv2
import numpy as np
import pytest


@pytest.fixture
def write_images():
    """Write JPEGs of 8x4 pixels, each of one grey value that grows with its place."""

    def write(folder, names):
        for value, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((8, 4, 3), 10 + value, np.uint8))
        return folder

    return write
