"""Resizing of position tables and patch embeddings."""

import torch
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int]


def resize_table(
    table: Tensor, source: Grid, target: Grid, mode: str = 'bicubic', offset: float = 0.0
) -> Tensor:
    """Resize a position table ``(1, h * w, C)`` from one grid (h, w) to another.

    With an offset the sampling grid is that of DINO: the scale factors are ``(target + offset) /
    source`` and the table is resampled even when the grids are equal. Without, it is a plain resize
    and the identity for equal grids.
    """
    if not offset:
        return resize_pos_embed(table, source, target, mode, num_extra_tokens=0)
    image = table.reshape(1, *source, -1).permute(0, 3, 1, 2)
    scale = tuple((t + offset) / s for t, s in zip(target, source, strict=True))
    # The factors themselves, not the ratio of the sizes, set the sampling grid.
    image = F.interpolate(image, scale_factor=scale, mode=mode, align_corners=False)
    return image.permute(0, 2, 3, 1).reshape(1, -1, table.shape[-1])


def resize_patch_kernel(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize the kernel ``(C, in_channels, h, w)`` of a patch embedding so that its responses stay.

    The pseudo-inverse resize: with B the matrix that resizes a patch (bicubic, antialiased), the
    new kernel ``(B^T)^+ w`` answers a resized patch as the old one answered the patch itself,
    exactly when patches grow and with the least mean error when they shrink (`FlexiViT
    <https://arxiv.org/abs/2212.08013>`_, section 3.4). Resizing the kernel as if it were an image
    changes the scale of the responses instead, by the ratio of the areas.
    """
    old = tuple(kernel.shape[-2:])
    if old == tuple(size):
        return kernel
    patches = torch.eye(old[0] * old[1], dtype=torch.float64).unflatten(1, (1, *old))
    transposed = F.interpolate(patches, size=size, mode='bicubic', antialias=True).flatten(1)
    resized = kernel.double().flatten(2) @ torch.linalg.pinv(transposed).T
    return resized.unflatten(2, size).to(kernel.dtype)
