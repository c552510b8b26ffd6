"""Hooks: one effect each."""

from .checkpoint_hooks import PreemptionHook as PreemptionHook
from .checkpoint_hooks import SafeCheckpointHook as SafeCheckpointHook
from .evaluation_hooks import EvaluationGainHook as EvaluationGainHook
from .evaluation_hooks import FlipTTAHook as FlipTTAHook
from .pretraining_hooks import ExportTeacherHook as ExportTeacherHook
from .pretraining_hooks import FreezePrototypesHook as FreezePrototypesHook
from .pretraining_hooks import PretrainMonitorHook as PretrainMonitorHook
from .pretraining_hooks import TeacherHook as TeacherHook
from .pretraining_hooks import ViewsPictureHook as ViewsPictureHook
from .pseudo_label_hook import PseudoLabelHook as PseudoLabelHook
from .pseudo_label_hook import extract_features as extract_features
from .training_hooks import NonFiniteHook as NonFiniteHook
from .training_hooks import RandomStateHook as RandomStateHook
from .training_hooks import TrainingInfoHook as TrainingInfoHook
