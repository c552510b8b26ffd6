"""Ranking metrics as pure functions on arrays."""

from .protocol import CameraTable, RankingResult, RankScores
from .ranking import evaluate_rank, rank_features
from .re_ranking import average_query_expansion, re_ranking, re_ranking_chunks
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
