"""Gaussian blur of a batch of images, each with its own width."""

import math

import torch
import torch.nn.functional as F

_SIGMAS_COVERED = 3.0


def gaussian_kernels(sigmas: torch.Tensor, radius: int) -> torch.Tensor:
    """Sample Gaussians (N, 2 * radius + 1) of sum 1, each cut off at three ``sigmas`` (N,).

    They do not depend on ``radius`` as long as it covers them, so an image is blurred alike in any
    batch.
    """
    steps = torch.arange(-radius, radius + 1, device=sigmas.device)
    kernels = torch.exp(-0.5 * (steps / sigmas[:, None]) ** 2)
    kernels *= steps.abs() <= (_SIGMAS_COVERED * sigmas[:, None]).ceil()
    return kernels / kernels.sum(1, keepdim=True)


def gaussian_blur(images: torch.Tensor, sigmas: torch.Tensor, max_sigma: float) -> torch.Tensor:
    """Blur float images (N, C, H, W) by ``sigmas`` (N,) in pixels, with reflected borders.

    Both passes add up shifted copies of the flattened image: a shift by one row is a shift by the
    padded width, a shift by one column a shift by one, whose wrap-around falls into the padding.
    Every operand is contiguous, which makes this faster than a grouped convolution. ``max_sigma``
    is an upper bound of ``sigmas``, known without asking the device.
    """
    height, width = images.shape[2:]
    radius = min(max(math.ceil(_SIGMAS_COVERED * max_sigma), 1), height - 1, width - 1)
    weights = gaussian_kernels(sigmas, radius).T[:, :, None, None]
    padded_width = width + 2 * radius
    padded = F.pad(images, (radius,) * 4, mode='reflect').flatten(2)
    columns = _sum_shifted(padded, weights, padded_width, height * padded_width)
    rows = _sum_shifted(columns, weights, 1, columns.shape[2] - 2 * radius)
    strides = (rows.stride(0), rows.stride(1), padded_width, 1)
    return rows.as_strided((*images.shape[:2], height, width), strides)


def _sum_shifted(flat: torch.Tensor, weights: torch.Tensor, step: int, length: int) -> torch.Tensor:
    """Add ``flat[..., i * step :][..., :length] * weights[i]`` over all ``i``."""
    total = flat[..., :length] * weights[0]
    for index, weight in enumerate(weights[1:], start=1):
        total.addcmul_(flat[..., index * step : index * step + length], weight)
    return total
