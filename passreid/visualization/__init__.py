"""Visualisation of passreid."""

import mmpretrain.visualization  # noqa: F401  (parents never import lazily)

from .contact_sheet import draw_contact_sheet
from .curves import Curve, RunLog, draw_curves, read_run_log
from .part_attention import attention_heights, draw_part_attention, overlay_attention
from .pictures import png_bytes, similarity_text, thumbnail_uri, time_text, write_png
from .rank_list import RankedItem, RankedQuery, draw_rank_list
from .report import QueryResult, Section, Table, html_report, match_page
from .timeline import Visit, draw_timeline
from .trackio_backend import TrackioVisBackend

__all__ = [
    'Curve',
    'QueryResult',
    'RankedItem',
    'RankedQuery',
    'RunLog',
    'Section',
    'Table',
    'TrackioVisBackend',
    'Visit',
    'attention_heights',
    'draw_contact_sheet',
    'draw_curves',
    'draw_part_attention',
    'draw_rank_list',
    'draw_timeline',
    'html_report',
    'match_page',
    'overlay_attention',
    'png_bytes',
    'read_run_log',
    'similarity_text',
    'thumbnail_uri',
    'time_text',
    'write_png',
]
