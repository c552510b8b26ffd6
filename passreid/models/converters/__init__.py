"""Conversion of weights between name styles."""

from .pass_checkpoint import from_pass_checkpoint
from .vit_keys import part_vit_key, to_part_vit_keys

__all__ = ['from_pass_checkpoint', 'part_vit_key', 'to_part_vit_keys']
