"""Engine parts: the runner, loops, hooks, optimizer wrappers and schedules."""

import mmpretrain.engine  # noqa: F401  (parents never import lazily)

from .hooks import *  # noqa: F403
from .loops import MultiTestLoop as MultiTestLoop
from .loops import ResumableEpochLoop as ResumableEpochLoop
from .optim_wrappers import AmpPerParameterOptimWrapper as AmpPerParameterOptimWrapper
from .optim_wrappers import AutoAmpOptimWrapper as AutoAmpOptimWrapper
from .optim_wrappers import GroupedOptimWrapperConstructor as GroupedOptimWrapperConstructor
from .optim_wrappers import PerParameterOptimWrapper as PerParameterOptimWrapper
from .runners import SafeRunner as SafeRunner
from .schedulers import WarmupCosineLR as WarmupCosineLR
