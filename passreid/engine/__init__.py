"""Engine parts: loops, hooks and optimiser wrappers."""

import mmpretrain.engine  # noqa: F401  (parents never import lazily)

from .feature_extraction import extract_features as extract_features
from .hooks import *  # noqa: F403
from .optim_wrappers import *  # noqa: F403
from .runners import *  # noqa: F403
from .schedulers import *  # noqa: F403
