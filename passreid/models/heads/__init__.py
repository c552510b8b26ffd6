"""Heads of passreid."""

from .centered_head import CenteredHead
from .pass_head import PASSHead
from .patch_head import PatchHead, masked_positions
from .reid_head import ReIDHead

__all__ = ['CenteredHead', 'PASSHead', 'PatchHead', 'ReIDHead', 'masked_positions']
