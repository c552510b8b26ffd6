"""Losses of passreid."""

from .arcface_loss import ArcFaceLoss
from .circle_loss import CircleLoss
from .cosface_loss import CosFaceLoss
from .cosine_margin_loss import CosineMarginLoss
from .hardest_pairs import HardestPairs, hardest_pairs
from .prototype_cross_entropy import inverse_norms, prototype_cross_entropy
from .triplet_loss import TripletLoss

__all__ = [
    'ArcFaceLoss',
    'CircleLoss',
    'CosFaceLoss',
    'CosineMarginLoss',
    'HardestPairs',
    'TripletLoss',
    'hardest_pairs',
    'inverse_norms',
    'prototype_cross_entropy',
]
