"""Hooks: one effect each."""

from .checkpoint_hooks import Preempted as Preempted
from .checkpoint_hooks import PreemptionHook as PreemptionHook
from .checkpoint_hooks import SafeCheckpointHook as SafeCheckpointHook
from .evaluation_hooks import EvaluationGainHook as EvaluationGainHook
from .evaluation_hooks import FlipTTAHook as FlipTTAHook
from .non_finite_hook import NonFiniteHook as NonFiniteHook
from .pretraining_hooks import ExportTeacherHook as ExportTeacherHook
from .pretraining_hooks import FreezePrototypesHook as FreezePrototypesHook
from .pretraining_hooks import PretrainMonitorHook as PretrainMonitorHook
from .pretraining_hooks import TeacherHook as TeacherHook
from .pretraining_hooks import ViewsPictureHook as ViewsPictureHook
from .pseudo_label_hook import PseudoLabelHook as PseudoLabelHook
from .random_state_hook import RandomStateHook as RandomStateHook
from .training_info_hook import TrainingInfoHook as TrainingInfoHook
