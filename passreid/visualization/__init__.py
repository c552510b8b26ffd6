"""Visualisation of passreid."""

import mmpretrain.visualization  # noqa: F401  (parents never import lazily)

from .curves import Curve, draw_curves
from .png import png_bytes, write_png
from .rank_list import RankedItem, RankedQuery, draw_rank_list
from .run_log import RunLog, read_run_log

__all__ = [
    'Curve',
    'RankedItem',
    'RankedQuery',
    'RunLog',
    'draw_curves',
    'draw_rank_list',
    'png_bytes',
    'read_run_log',
    'write_png',
]
