"""Heads of passreid."""

from .pass_head import PASSHead
from .reid_head import ReIDHead

__all__ = ['PASSHead', 'ReIDHead']
