"""Engine parts: the runner, loops, hooks, optimizer wrappers and schedules."""

import mmpretrain.engine  # noqa: F401  (parents never import lazily)

from .hooks import *  # noqa: F403
from .loops import MultiTestLoop as MultiTestLoop
from .loops import ResumableEpochLoop as ResumableEpochLoop
from .optimization import AutoAmpOptimWrapper as AutoAmpOptimWrapper
from .optimization import GroupedOptimWrapperConstructor as GroupedOptimWrapperConstructor
from .optimization import WarmupCosineLR as WarmupCosineLR
from .runners import SafeRunner as SafeRunner
