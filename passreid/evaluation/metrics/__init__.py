"""Metrics of a run."""

from .reid_metric import ReIDMetric
from .result_file import SavedResult, load_result

__all__ = ['ReIDMetric', 'SavedResult', 'load_result']
