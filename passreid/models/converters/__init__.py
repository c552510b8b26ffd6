"""Conversion of weights between name styles."""

from .pass_checkpoint import from_pass_checkpoint
from .recognise import fit_checkpoint
from .vit_keys import part_vit_key, to_part_vit_keys

__all__ = ['fit_checkpoint', 'from_pass_checkpoint', 'part_vit_key', 'to_part_vit_keys']
