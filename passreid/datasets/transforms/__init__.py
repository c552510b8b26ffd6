"""Transforms; mmpretrain's are available under their own names."""

from ..storage.decoding import LoadPersonImage
from .mask_patches import MaskPatches
from .multi_crop import PackViews, PartAwareMultiCrop, part_areas

__all__ = ['LoadPersonImage', 'MaskPatches', 'PackViews', 'PartAwareMultiCrop', 'part_areas']
