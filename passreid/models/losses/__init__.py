"""Losses of passreid."""

from .prototype_cross_entropy import inverse_norms, prototype_cross_entropy

__all__ = ['inverse_norms', 'prototype_cross_entropy']
