"""Visualisation of passreid."""

import mmpretrain.visualization  # noqa: F401  (parents never import lazily)

from .contact_sheet import draw_contact_sheet
from .curves import Curve, draw_curves
from .html_report import Section, Table, html_report
from .match_page import MatchSection, QueryResult, match_page
from .part_attention import attention_heights, draw_part_attention, overlay_attention
from .png import png_bytes, write_png
from .rank_list import RankedItem, RankedQuery, draw_rank_list, similarity_text, time_text
from .run_log import RunLog, read_run_log
from .thumbnail import thumbnail_uri

__all__ = [
    'Curve',
    'MatchSection',
    'QueryResult',
    'RankedItem',
    'RankedQuery',
    'RunLog',
    'Section',
    'Table',
    'attention_heights',
    'draw_contact_sheet',
    'draw_curves',
    'draw_part_attention',
    'draw_rank_list',
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
