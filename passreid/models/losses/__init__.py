"""Losses of passreid."""

from .margin_losses import ArcFaceLoss, CircleLoss, CosFaceLoss, CosineMarginLoss
from .part_refinement import agreement_loss, refined_targets
from .prototype_cross_entropy import inverse_norms, masked_cross_entropy, prototype_cross_entropy
from .token_similarity import token_similarity
from .triplet_loss import HardestPairs, TripletLoss, hardest_pairs

__all__ = [
    'ArcFaceLoss',
    'CircleLoss',
    'CosFaceLoss',
    'CosineMarginLoss',
    'HardestPairs',
    'TripletLoss',
    'agreement_loss',
    'hardest_pairs',
    'inverse_norms',
    'masked_cross_entropy',
    'prototype_cross_entropy',
    'refined_targets',
    'token_similarity',
]
