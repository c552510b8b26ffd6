"""Hooks: one effect each."""

from .evaluation_gain_hook import EvaluationGainHook
from .flip_tta_hook import FlipTTAHook
from .non_finite_hook import NonFiniteHook
from .preemption_hook import Preempted, PreemptionHook
from .pretrain_monitor_hook import PretrainMonitorHook
from .pseudo_label_hook import PseudoLabelHook
from .random_state_hook import RandomStateHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .teacher_hook import ExportTeacherHook, FreezePrototypesHook, TeacherHook
from .training_info_hook import TrainingInfoHook
from .views_picture_hook import ViewsPictureHook

__all__ = [
    'EvaluationGainHook',
    'ExportTeacherHook',
    'FlipTTAHook',
    'FreezePrototypesHook',
    'NonFiniteHook',
    'Preempted',
    'PreemptionHook',
    'PretrainMonitorHook',
    'PseudoLabelHook',
    'RandomStateHook',
    'SafeCheckpointHook',
    'TeacherHook',
    'TrainingInfoHook',
    'ViewsPictureHook',
]
