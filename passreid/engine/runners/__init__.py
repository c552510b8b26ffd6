"""Runner and loops."""

from .multi_test_loop import MultiTestLoop
from .resumable_epoch_loop import ResumableEpochLoop
from .safe_runner import SafeRunner

__all__ = ['MultiTestLoop', 'ResumableEpochLoop', 'SafeRunner']
