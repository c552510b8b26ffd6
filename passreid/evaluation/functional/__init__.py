"""Ranking metrics as pure functions on arrays."""

from .evaluate_rank import evaluate_rank
from .rank_features import rank_features
from .scores import RankingResult, RankScores

__all__ = ['RankScores', 'RankingResult', 'evaluate_rank', 'rank_features']
