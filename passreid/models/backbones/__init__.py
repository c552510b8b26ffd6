"""Backbones of passreid."""

from .part_vit import PartViT

__all__ = ['PartViT']
