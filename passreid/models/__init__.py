"""Models of passreid, by role."""

import mmpretrain.models  # noqa: F401  (parents never import lazily)

from .backbones import *  # noqa: F403
from .data_preprocessors import *  # noqa: F403
from .heads import *  # noqa: F403
from .losses import *  # noqa: F403
from .necks import *  # noqa: F403
from .reid import *  # noqa: F403
from .selfsup import *  # noqa: F403
from .tta import *  # noqa: F403
