"""Data sets, samplers and transforms of passreid."""

import mmpretrain.datasets  # noqa: F401  (parents never import lazily)

from .folder_reid import FolderReID
from .luperson import LUPerson
from .market1501 import CUHK03NP, DukeMTMCReID, Market1501, OccludedDuke
from .msmt17 import MSMT17
from .reid_concat_dataset import ReIDConcatDataset
from .reid_dataset import ReIDDataset
from .samplers import *  # noqa: F403
from .synthetic import SyntheticReID
from .transforms import *  # noqa: F403

__all__ = [
    'CUHK03NP',
    'MSMT17',
    'DukeMTMCReID',
    'FolderReID',
    'LUPerson',
    'Market1501',
    'OccludedDuke',
    'ReIDConcatDataset',
    'ReIDDataset',
    'SyntheticReID',
]
