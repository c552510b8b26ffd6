"""Patch embeddings for another size of patch."""

import torch
from torch import Tensor
from torch.nn import functional as F


def resize_patch_kernel(kernel: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize the kernel of a patch embedding so that its responses stay.

    The pseudo-inverse resize: with B the matrix that resizes a patch (bicubic, antialiased), the
    new kernel ``(B^T)^+ w`` answers a resized patch as the old one answered the patch itself,
    exactly when patches grow and with the least mean error when they shrink. Resizing the kernel
    as if it were an image changes the scale of the responses instead, by the ratio of the areas.

    Source: `FlexiViT: One Model for All Patch Sizes <https://arxiv.org/abs/2212.08013>`_,
    section 3.4.

    Args:
        kernel (Tensor): ``(C, in_channels, h, w)``.
        size (tuple[int, int]): Wanted (h, w) in pixels.

    Returns:
        Tensor: ``(C, in_channels, *size)`` with the dtype of ``kernel``.
    """
    old = tuple(kernel.shape[-2:])
    if old == tuple(size):
        return kernel
    patches = torch.eye(old[0] * old[1], dtype=torch.float64).unflatten(1, (1, *old))
    transposed = F.interpolate(patches, size=size, mode='bicubic', antialias=True).flatten(1)
    resized = kernel.double().flatten(2) @ torch.linalg.pinv(transposed).T
    return resized.unflatten(2, size).to(kernel.dtype)
