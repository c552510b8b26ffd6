"""Shared fixtures."""

import gc
import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_models
from mmengine.logging import MMLogger
from mmengine.logging.logger import FilterDuplicateWarning

REFERENCE = Path(__file__).parent / 'data' / 'reference'


@pytest.fixture(scope='module', autouse=True)
def short_collections():
    """Let data sets, each of which collects garbage, not look at all that was imported by now."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """Leave the cache folder of the user as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session')
def reference():
    """Load a file of recorded numbers as tensors by name (names stay strings)."""

    def load(name):
        with np.load(REFERENCE / f'{name}.npz') as data:
            arrays = {key: data[key] for key in data.files}
        return {
            key: list(value) if value.dtype.kind == 'U' else torch.tensor(value)
            for key, value in arrays.items()
        }

    return load


@pytest.fixture
def toy_config(tmp_path):
    """Config of a training run in ``tmp_path / 'run'``; see :func:`toy_models.toy_config`."""
    return partial(toy_models.toy_config, tmp_path / 'run')


@pytest.fixture
def log(tmp_path_factory):
    """Read what was logged so far, by forked workers too."""
    file = tmp_path_factory.mktemp('log') / 'log.txt'
    handler = logging.FileHandler(file)
    handler.addFilter(FilterDuplicateWarning())  # As those of mmengine have it.
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield file.read_text
    logger.removeHandler(handler)
    handler.close()
