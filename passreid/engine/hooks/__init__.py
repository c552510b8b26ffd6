"""Hooks, one a file."""

from .collapse_hook import CollapseHook
from .export_teacher_hook import ExportTeacherHook
from .flip_tta_hook import FlipTTAHook
from .freeze_prototypes_hook import FreezePrototypesHook
from .gain_hook import GainHook
from .non_finite_hook import NonFiniteHook
from .owed_validation_hook import OwedValidationHook
from .part_separation_hook import PartSeparationHook
from .plain_checkpoint_hook import PlainCheckpointHook
from .preemption_hook import Preempted, PreemptionHook
from .process_buffers_hook import ProcessBuffersHook
from .pseudo_label_hook import PseudoLabelHook
from .random_state_hook import RandomStateHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .teacher_hook import TeacherHook
from .training_info_hook import TrainingInfoHook
from .views_picture_hook import ViewsPictureHook

__all__ = [
    'CollapseHook',
    'ExportTeacherHook',
    'FlipTTAHook',
    'FreezePrototypesHook',
    'GainHook',
    'NonFiniteHook',
    'OwedValidationHook',
    'PartSeparationHook',
    'PlainCheckpointHook',
    'Preempted',
    'PreemptionHook',
    'ProcessBuffersHook',
    'PseudoLabelHook',
    'RandomStateHook',
    'SafeCheckpointHook',
    'TeacherHook',
    'TrainingInfoHook',
    'ViewsPictureHook',
]
