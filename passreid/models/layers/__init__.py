"""Building blocks shared by the models."""

from .attention import attention, prefix_layer, prefix_query_key_value
from .bn_neck import BNNeck, fuse_tokens
from .ics_stem import ICSStem
from .resize import Grid, resize_patch_kernel, resize_table
from .spatial_prior import start_from_positions

__all__ = [
    'BNNeck',
    'Grid',
    'ICSStem',
    'attention',
    'fuse_tokens',
    'prefix_layer',
    'prefix_query_key_value',
    'resize_patch_kernel',
    'resize_table',
    'start_from_positions',
]
