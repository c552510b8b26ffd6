"""PASS: part-aware self-supervised pre-training for person re-identification."""

import warnings

from .version import __version__

# mmcv-lite has no compiled operators; nothing here needs them.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

__all__ = ['__version__']
