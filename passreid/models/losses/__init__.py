"""Losses of passreid."""

from .prototype_cross_entropy import prototype_cross_entropy

__all__ = ['prototype_cross_entropy']
