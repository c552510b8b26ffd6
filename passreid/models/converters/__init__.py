"""Weights of any origin: read, flatten, recognise, convert, fit, load, report."""

from . import addresses  # noqa: F401  (registers them)
from .fit_part_vit import fit_part_vit
from .flatten import flatten
from .load import fill_model, load_weights
from .names import part_vit_key
from .pass_checkpoint import from_pass_checkpoint, pass_kind, to_pass_checkpoint
from .positions import GRID_KEY
from .report import LoadReport
from .vit_checkpoint import from_vit_checkpoint, to_vit_checkpoint

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
