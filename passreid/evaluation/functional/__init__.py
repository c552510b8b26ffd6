"""Ranking metrics as pure functions on arrays."""

from .camera_table import CameraTable
from .evaluate_rank import evaluate_rank
from .query_expansion import average_query_expansion
from .rank_features import rank_features
from .re_ranking import re_ranking, re_ranking_chunks
from .scores import RankingResult, RankScores
from .similarity_threshold import SimilarityCurve, SimilarityThreshold, similarity_curve

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
