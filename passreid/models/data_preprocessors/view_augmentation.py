"""Photometric augmentation of views with drawn parameters, batched on their device."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch

from .color_jitter import color_jitter_, to_gray
from .gaussian_blur import gaussian_blur

# Values processed at a time on a CPU: few enough to stay in its cache, enough to make up for the
# cost of calling an operation.
_CPU_CHUNK_VALUES = 400_000
# Position of hue in views without colour jitter.
NOT_JITTERED = 4


@dataclass
class ViewDraws:
    """Parameters of ``N`` views, on the CPU."""

    flip: torch.Tensor  # Whether to flip, (N,) bool.
    # Position of hue among the four operations of the colour jitter, (N,) int64; NOT_JITTERED for
    # views without jitter.
    hue_position: torch.Tensor
    hue: torch.Tensor  # Shift of the hue in turns, (N,) float.
    blends: torch.Tensor  # Order of brightness, contrast and saturation, (N, 3) int64.
    factors: torch.Tensor  # Their factors, in that order, (N, 3) float.
    gray: torch.Tensor  # Whether to remove the colours, (N,) bool.
    sigma: torch.Tensor  # Width of the blur in pixels, (N,) float; 0 for views without blur.
    solarize: torch.Tensor  # Whether to invert bright pixels, (N,) bool.

    def __getitem__(self, index: torch.Tensor | slice) -> 'ViewDraws':
        return ViewDraws(*(getattr(self, field.name)[index] for field in fields(self)))

    def processing_order(self) -> torch.Tensor:
        """Indices (N,) that sort views by the position of hue, then by the width of the blur.

        Colour jitter needs the first; with the second, neighbours need kernels of equal size.
        """
        by_sigma = self.sigma.argsort(stable=True)
        return by_sigma[self.hue_position[by_sigma].argsort(stable=True)]


def augment_views(
    views: torch.Tensor,
    draws: ViewDraws | None,
    mean: torch.Tensor,
    std: torch.Tensor,
    to_rgb: bool = True,
    solarize_threshold: float = 128,
) -> torch.Tensor:
    """Flip, jitter, grey, blur, solarise and normalise views (B, V, H, W, 3), uint8.

    ``draws`` has the parameters of the V * B views, all images of the first view in front, or is
    None to normalise only; ``mean`` and ``std`` are (3, 1, 1) in [0, 255]. The result is float32
    RGB (V * B, 3, H, W) in the same order. Nothing here waits for the device. On a CPU, views are
    processed in pieces that stay in cache.
    """
    num_images, num_views, height, width, channels = views.shape
    images = views.flatten(0, 1)
    count = len(images)
    sources = torch.arange(count).view(num_images, num_views).T.flatten()
    order = torch.arange(count) if draws is None else draws.processing_order()
    on_cpu = views.device.type == 'cpu'
    chunk = max(1, _CPU_CHUNK_VALUES // (channels * height * width) if on_cpu else count)
    result = torch.empty(count, channels, height, width, device=views.device)
    for start in range(0, count, chunk):
        index = order[start : start + chunk]
        part = _planes(images.index_select(0, _to(sources[index], views)), to_rgb)
        part = part.float() if draws is None else _augment(part, draws[index], solarize_threshold)
        _store(result, index, part.sub_(mean).div_(std))
    return result


def _planes(images: torch.Tensor, to_rgb: bool) -> torch.Tensor:
    """Rearrange images (N, H, W, 3) to RGB planes (N, 3, H, W)."""
    planes = images.unbind(3)
    return torch.stack(planes[::-1] if to_rgb else planes, dim=1)


def _flip(images: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Mirror the images (N, 3, H, W) chosen by ``flip`` (N,), on the CPU."""
    both = torch.cat((images, images.flip(3)))
    return both.index_select(0, _to(torch.arange(len(flip)) + len(flip) * flip, images))


def _augment(images: torch.Tensor, draws: ViewDraws, solarize_threshold: float) -> torch.Tensor:
    """Augment RGB images (N, 3, H, W), uint8, sorted by ``draws.processing_order``."""
    images = _flip(images, draws.flip).float()
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
    if draws.gray.any():
        # A weight of 0 or 1 gives either image exactly, without moving the chosen ones.
        images.lerp_(to_gray(images), _to(draws.gray.float().view(-1, 1, 1, 1), images))
    images = _replace(
        images,
        draws.sigma > 0,
        lambda chosen, index: gaussian_blur(
            chosen, _to(draws.sigma[index], images), draws.sigma.max().item()
        ),
    )
    return _replace(images, draws.solarize, lambda chosen, _: _solarize(chosen, solarize_threshold))


def _solarize(images: torch.Tensor, threshold: float) -> torch.Tensor:
    """Invert the values of ``images``, in [0, 255], from ``threshold`` on."""
    bright = images.clone().ge_(threshold)
    return images.addcmul(bright, 255 - 2 * images)


def _replace(
    images: torch.Tensor,
    mask: torch.Tensor,
    operation: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Replace the images chosen by ``mask`` (N,), on the CPU, by what ``operation`` makes of them.

    ``operation`` gets the chosen images and their indices on the CPU.
    """
    index = mask.nonzero().flatten()
    if len(index) == len(images):
        return operation(images, index)
    if len(index):
        on_device = _to(index, images)
        images.index_copy_(0, on_device, operation(images.index_select(0, on_device), index))
    return images


def _store(result: torch.Tensor, index: torch.Tensor, images: torch.Tensor) -> None:
    """Write ``images`` to the rows ``index`` (N,), on the CPU, of ``result``."""
    if result.device.type != 'cpu':
        result.index_copy_(0, _to(index, result), images)
        return
    # On a CPU index_copy_ goes value by value and takes four times as long.
    for target, image in zip(index.tolist(), images, strict=True):
        result[target] = image


def _to(parameters: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Bring CPU parameters to the device of the images without waiting for it."""
    return parameters.to(images.device, non_blocking=True)
