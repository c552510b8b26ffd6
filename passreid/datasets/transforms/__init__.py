"""Transforms; mmpretrain's are available under their own names."""

from ..storage.decoding import LoadPersonImage
from .multi_crop import PackViews, PartAwareMultiCrop, part_areas

__all__ = ['LoadPersonImage', 'PackViews', 'PartAwareMultiCrop', 'part_areas']
