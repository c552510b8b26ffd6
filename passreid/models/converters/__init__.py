"""Conversion of weights between name styles."""

from .fill_model import fill_model
from .fit_part_vit import fit_part_vit
from .pass_checkpoint import from_pass_checkpoint
from .recognise import fit_checkpoint, pass_kind
from .to_pass import to_pass_checkpoint
from .to_vit import to_vit_checkpoint
from .vit_checkpoint import from_vit_checkpoint
from .vit_keys import part_vit_key, to_part_vit_keys

__all__ = [
    'fill_model',
    'fit_checkpoint',
    'fit_part_vit',
    'from_pass_checkpoint',
    'from_vit_checkpoint',
    'part_vit_key',
    'pass_kind',
    'to_part_vit_keys',
    'to_pass_checkpoint',
    'to_vit_checkpoint',
]
