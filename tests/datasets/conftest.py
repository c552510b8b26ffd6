"""Fixtures of the data sets' tests."""

import logging

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger


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


@pytest.fixture
def log(tmp_path_factory):
    """Read what was logged so far, by forked workers too."""
    file = tmp_path_factory.mktemp('log') / 'log.txt'
    handler = logging.FileHandler(file)
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield file.read_text
    logger.removeHandler(handler)
    handler.close()
