"""Ranking metrics as pure functions on arrays."""

from .query_expansion import average_query_expansion
from .ranking import evaluate_rank, rank_features
from .re_ranking import re_ranking, re_ranking_chunks
from .scores import CameraTable, RankingResult, RankScores
from .verification import SimilarityCurve, SimilarityThreshold, similarity_curve

__all__ = [
    'CameraTable',
    'RankScores',
    'RankingResult',
    'SimilarityCurve',
    'SimilarityThreshold',
    'average_query_expansion',
    'evaluate_rank',
    'rank_features',
    're_ranking',
    're_ranking_chunks',
    'similarity_curve',
]
