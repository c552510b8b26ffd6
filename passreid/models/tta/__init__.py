"""Test-time augmentation."""

from .flip_tta import FlipTTAModel

__all__ = ['FlipTTAModel']
