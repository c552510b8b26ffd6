"""Data sets, samplers and transforms of passreid."""

import mmpretrain.datasets  # noqa: F401  (parents never import lazily)

from .samplers import *  # noqa: F403
from .transforms import *  # noqa: F403

__all__: list[str] = []
