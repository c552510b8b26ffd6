"""Data sets, samplers and transforms of passreid."""

import mmpretrain.datasets  # noqa: F401  (parents never import lazily)

from .luperson import LUPerson
from .market1501 import Market1501
from .reid_dataset import ReIDDataset
from .samplers import *  # noqa: F403
from .synthetic import SyntheticReID
from .transforms import *  # noqa: F403

__all__ = ['LUPerson', 'Market1501', 'ReIDDataset', 'SyntheticReID']
