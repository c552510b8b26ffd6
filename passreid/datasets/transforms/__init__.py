"""Transforms; mmpretrain's are available under their own names."""

from ..storage.decoding import LoadPersonImage
from .pack_views import PackViews
from .part_areas import part_areas
from .part_aware_multi_crop import PartAwareMultiCrop

__all__ = ['LoadPersonImage', 'PackViews', 'PartAwareMultiCrop', 'part_areas']
