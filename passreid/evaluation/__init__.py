"""Metrics of passreid."""

import mmpretrain.evaluation  # noqa: F401  (parents never import lazily)

from .metrics import ReIDMetric, SavedResult, load_result

__all__ = ['ReIDMetric', 'SavedResult', 'load_result']
