"""Loops."""

from .multi_test_loop import MultiTestLoop
from .resumable_epoch_loop import ResumableEpochLoop

__all__ = ['MultiTestLoop', 'ResumableEpochLoop']
