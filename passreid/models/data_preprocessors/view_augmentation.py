"""Photometric augmentation of views with drawn parameters, batched on their device."""

from collections.abc import Callable

import torch

from .color_jitter import color_jitter_, to_gray
from .gaussian_blur import gaussian_blur
from .view_draws import NOT_JITTERED, ViewDraws

# Values that fit into the second-level cache of a core together with the intermediate results.
_CPU_CHUNK_VALUES = 100_000


def augment_views(
    views: torch.Tensor,
    draws: ViewDraws,
    mean: torch.Tensor,
    std: torch.Tensor,
    to_rgb: bool = True,
    solarize_threshold: float = 128,
) -> torch.Tensor:
    """Flip, jitter, grey, blur, solarise and normalise views.

    Nothing here waits for the device. On the CPU, views are processed in pieces that stay in cache.

    Args:
        views (torch.Tensor): Views (B, V, H, W, 3), uint8.
        draws (ViewDraws): Parameters of the V * B views, all images of the first view in front.
        mean (torch.Tensor): Mean of the channels (3, 1, 1) in [0, 255].
        std (torch.Tensor): Standard deviation of the channels (3, 1, 1) in [0, 255].
        to_rgb (bool): Whether the views are BGR.
        solarize_threshold (float): Values from here on are inverted by solarisation.

    Returns:
        torch.Tensor: Normalised RGB views (V * B, 3, H, W), float32, all images of the first view
        in front.
    """
    num_images, num_views, height, width, channels = views.shape
    images = views.flatten(0, 1)
    sources = torch.arange(len(images)).view(num_images, num_views).T.flatten()
    result = torch.empty(len(images), channels, height, width, device=views.device)
    chunk = len(images)
    if views.device.type == 'cpu':
        chunk = max(1, _CPU_CHUNK_VALUES // images[0].numel())
    for index in draws.processing_order().split(max(chunk, 1)):
        part = images[_to(sources[index], views)].permute(0, 3, 1, 2)
        part = part.flip(1) if to_rgb else part
        part = part.to(torch.float32, memory_format=torch.contiguous_format)
        part = _augment(part, draws[index], solarize_threshold)
        result[_to(index, views)] = part.sub_(mean).div_(std)
    return result


def _augment(images: torch.Tensor, draws: ViewDraws, solarize_threshold: float) -> torch.Tensor:
    """Augment RGB images (N, 3, H, W) of [0, 255], sorted by ``draws.processing_order``."""
    images = _where(draws.flip, images, lambda chosen, _: chosen.flip(3))
    hue_bounds = torch.searchsorted(draws.hue_position, torch.arange(NOT_JITTERED + 1)).tolist()
    jittered = slice(hue_bounds[-1])
    if hue_bounds[-1]:
        color_jitter_(
            images[jittered],
            _to(draws.blends[jittered], images),
            _to(draws.factors[jittered], images),
            _to(draws.hue[jittered], images),
            hue_bounds,
        )
    images = _where(draws.gray, images, lambda chosen, _: to_gray(chosen).repeat(1, 3, 1, 1))
    images = _where(
        draws.sigma > 0,
        images,
        lambda chosen, index: gaussian_blur(
            chosen, _to(draws.sigma[index], images), draws.sigma.max().item()
        ),
    )
    return _where(
        draws.solarize,
        images,
        lambda chosen, _: torch.where(chosen < solarize_threshold, chosen, 255 - chosen),
    )


def _where(
    mask: torch.Tensor,
    images: torch.Tensor,
    operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Replace the images chosen by ``mask`` (N,), on the CPU, by what ``operation`` makes of them.

    ``operation`` gets the chosen images and their indices on the CPU.
    """
    index = mask.nonzero().flatten()
    if len(index) == len(images):
        return operation(images, index)
    if len(index):
        index_on_device = _to(index, images)
        images[index_on_device] = operation(images[index_on_device], index)
    return images


def _to(parameters: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Bring CPU parameters to the device of the images without waiting for it."""
    return parameters.to(images.device, non_blocking=True)
