"""Masks of patches."""

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from passreid.registry import TRANSFORMS

from .multi_crop import part_areas

# Draws of a block before a mask stays as it is.
_TRIES = 10
# Bounds of the logarithm of height / width of a block.
_LOG_ASPECT = math.log(0.3), math.log(1 / 0.3)


@TRANSFORMS.register_module()
class MaskPatches(BaseTransform):
    """Mask blocks of patches of the global views; stands after :class:`PartAwareMultiCrop`.

    ``views`` get ``masks`` (num_global, h, w), bool, over the grid of patches of a view. For each
    view a ratio is chosen among those given; blocks are then drawn until that share of the patches
    is masked, or nearly so, and never more.

    Source: `iBOT <https://arxiv.org/abs/2111.07832>`_, section 3.1 and appendix E.

    Args:
        patch_size (int): Side of a patch in pixels, that of the backbone. Defaults to 16.
        ratios (Sequence[float]): Ratios to choose from. Defaults to (0, 0.3).
        variances (Sequence[float]): The ratio is drawn from ``ratio +- variance``, for each of the
            ratios. Defaults to (0, 0.2).
        num_parts (int): Not published: the blocks of a view lie in one of so many areas (see
            :func:`.part_areas`), drawn for each view, and the ratio is that of the area. With 0
            they lie anywhere. Defaults to 0.
    """

    def __init__(
        self,
        patch_size: int = 16,
        ratios: Sequence[float] = (0.0, 0.3),
        variances: Sequence[float] = (0.0, 0.2),
        num_parts: int = 0,
    ) -> None:
        self.patch_size = patch_size
        self._ratios = list(zip(ratios, variances, strict=True))
        for ratio, variance in self._ratios:
            if not 0 <= ratio - variance <= ratio + variance <= 1:
                raise ValueError(f'ratio {ratio} +- {variance} leaves the range from 0 to 1')
        self._num_areas = num_parts

    def transform(self, results: dict) -> dict:
        """Add the masks of ``results['views']['global_views']``, (num_global, H, W, 3)."""
        num_views, *size, _ = results['views']['global_views'].shape
        height, width = (side // self.patch_size for side in size)
        areas = part_areas(height, width, self._num_areas)
        masks = np.zeros((num_views, height, width), bool)
        for mask in masks:
            top, left, rows, columns = _choose(areas)
            self._mask_blocks(mask[top : top + rows, left : left + columns])
        results['views']['masks'] = masks
        return results

    def _mask_blocks(self, mask: np.ndarray) -> None:
        """Draw a ratio, and mask blocks (h, w) in place."""
        ratio = _choose(
            [
                random.uniform(ratio - variance, ratio + variance) if variance else ratio
                for ratio, variance in self._ratios
            ]
        )
        height, width = mask.shape
        budget, smallest = ratio * mask.size, (min(height, width) // 3) ** 2
        while mask.sum() < budget:
            for _ in range(_TRIES):
                left_over = budget - mask.sum()
                area = random.uniform(smallest, left_over)
                aspect = math.exp(random.uniform(*_LOG_ASPECT))
                rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
                if rows >= height or columns >= width:
                    continue
                top = random.randint(0, height - rows)
                left = random.randint(0, width - columns)
                block = mask[top : top + rows, left : left + columns]
                if 0 < (~block).sum() <= left_over:
                    block[:] = True
                    break
            else:
                return


def _choose(options: Sequence[Any]) -> Any:
    """Choose at random; of a single option, without a random number."""
    return options[0] if len(options) == 1 else random.choice(options)
