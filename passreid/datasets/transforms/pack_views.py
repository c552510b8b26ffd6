"""Packing of the views of an image."""

import numpy as np
import torch
from mmpretrain.datasets import PackInputs

from passreid.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackViews(PackInputs):
    """Pack the views of an image without touching their memory.

    The result has ``inputs``, a dict of ``global_views`` (num_global, H, W, 3) and ``local_views``
    (num_local, h, w, 3) uint8 tensors, and ``data_samples``. Collate with ``default_collate``,
    which stacks images in front: (B, num_global, H, W, 3).

    **Required Keys:** views

    Args:
        meta_keys (tuple[str, ...]): Keys kept as meta information of the data sample, where the
            results have them.
    """

    def __init__(
        self,
        meta_keys: tuple[str, ...] = ('sample_idx', 'img_path', 'ori_shape', 'view_boxes'),
    ) -> None:
        super().__init__(input_key='views', meta_keys=meta_keys)

    @staticmethod
    def format_input(input_: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Make tensors that share the memory of the arrays."""
        return {name: torch.from_numpy(views) for name, views in input_.items()}
