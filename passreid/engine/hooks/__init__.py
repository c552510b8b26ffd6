"""Hooks, one a file."""

from .export_teacher_hook import ExportTeacherHook
from .flip_tta_hook import FlipTTAHook
from .freeze_prototypes_hook import FreezePrototypesHook
from .gain_hook import GainHook
from .non_finite_hook import NonFiniteHook
from .preemption_hook import Preempted, PreemptionHook
from .pretrain_monitor_hook import PretrainMonitorHook
from .pseudo_label_hook import PseudoLabelHook
from .random_state_hook import RandomStateHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .teacher_hook import TeacherHook
from .training_info_hook import TrainingInfoHook
from .views_picture_hook import ViewsPictureHook

__all__ = [
    'ExportTeacherHook',
    'FlipTTAHook',
    'FreezePrototypesHook',
    'GainHook',
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
