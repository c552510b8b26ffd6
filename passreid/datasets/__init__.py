"""Data sets, samplers and transforms of passreid."""

import mmpretrain.datasets  # noqa: F401  (parents never import lazily)

from .market1501 import Market1501
from .reid_dataset import ReIDDataset
from .samplers import *  # noqa: F403
from .transforms import *  # noqa: F403

__all__ = ['Market1501', 'ReIDDataset']
