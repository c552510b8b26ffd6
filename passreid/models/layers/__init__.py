"""Building blocks shared by the models."""

from .attention import attention
from .bn_neck import BNNeck
from .ics_stem import ICSStem
from .instance_batch_norm import InstanceBatchNorm2d
from .position_table import resize_table
from .prefix_layer import prefix_layer, prefix_query_key_value
from .spatial_prior import start_from_positions
from .token_fusion import fuse_tokens, fused_channels

__all__ = [
    'BNNeck',
    'ICSStem',
    'InstanceBatchNorm2d',
    'attention',
    'fuse_tokens',
    'fused_channels',
    'prefix_layer',
    'prefix_query_key_value',
    'resize_table',
    'start_from_positions',
]
