"""Models of passreid, by role."""

import mmpretrain.models  # noqa: F401  (parents never import lazily)

from .backbones import *  # noqa: F403

__all__: list[str] = []
