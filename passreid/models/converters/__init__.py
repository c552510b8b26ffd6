"""Conversion of weights between name styles, and the one way of loading them."""

from .fit_part_vit import fit_part_vit
from .flatten import flatten
from .load import LoadReport, fill_model, load_weights
from .pass_checkpoint import from_pass_checkpoint, pass_kind
from .positions import GRID_KEY
from .to_pass import to_pass_checkpoint
from .to_vit import to_vit_checkpoint
from .vit_checkpoint import from_vit_checkpoint
from .vit_keys import part_vit_key

__all__ = [
    'GRID_KEY',
    'LoadReport',
    'fill_model',
    'fit_part_vit',
    'flatten',
    'from_pass_checkpoint',
    'from_vit_checkpoint',
    'load_weights',
    'part_vit_key',
    'pass_kind',
    'to_pass_checkpoint',
    'to_vit_checkpoint',
]
