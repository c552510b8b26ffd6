"""Colour jitter of a batch of images, each with its own factors and order of operations."""

from itertools import pairwise

import torch

# Values of ``blends``: what an image is blended with.
BRIGHTNESS, CONTRAST, SATURATION = 0, 1, 2


def to_gray(images: torch.Tensor) -> torch.Tensor:
    """Compute the luma (ITU-R 601) of RGB images (N, 3, H, W) as (N, 1, H, W)."""
    red, green, blue = images.split(1, dim=1)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def blend_(images: torch.Tensor, blends: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Change brightness, contrast or saturation of RGB images (N, 3, H, W) in [0, 255], in place.

    All three blend the image with an anchor, ``factor * image + (1 - factor) * anchor``, and differ
    in the anchor only: black, the mean grey of the image, the grey image. So one formula serves a
    batch in which each image is at another operation, ``blends`` (N,) with ``factors`` (N,).
    """
    gray = to_gray(images)
    mean = gray.mean((2, 3), keepdim=True)
    blends = blends.view(-1, 1, 1, 1)
    anchor = gray.mul_(blends == SATURATION).add_(mean * (blends == CONTRAST))
    return torch.lerp(anchor, images, factors.view(-1, 1, 1, 1), out=images).clamp_(0, 255)


def adjust_hue_(images: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Shift the hue of images (N, 3, H, W) in [0, 255] in place, by ``shifts`` (N,) in turns.

    The hue is signed, in sixths of the colour circle: red is 0, green 2, blue -2 and cyan both 3
    and -3. With ``t = (x - min) / (max - min)`` it is ``sign(G - B) * (1 - t_R + t_G + t_B)``, and
    back ``t_R = 1 - u(0)``, ``t_G = u(1)``, ``t_B = u(-1)`` where ``u(offset) = clamp(|hue +
    offset| - 1, 0, 1)``. Unlike the usual cases by the largest channel, this is free of masks,
    which cost much more than arithmetic.
    """
    red, green, blue = images.split(1, dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = value - low
    hue = (green + blue).sub_(red).sub_(low).add_(chroma)
    hue.div_(chroma.clamp(min=1e-6)).copysign_(green - blue)
    hue.add_(shifts.view(-1, 1, 1, 1), alpha=6)
    hue.sub_((hue / 6).round_(), alpha=6)
    parts = torch.cat((hue, hue + 1, hue - 1), dim=1).abs_().sub_(1).clamp_(0, 1).mul_(chroma)
    torch.sub(value, parts[:, :1], out=red)
    torch.add(low, parts[:, 1:], out=images[:, 1:])
    return images


def color_jitter_(
    images: torch.Tensor,
    blends: torch.Tensor,
    factors: torch.Tensor,
    shifts: torch.Tensor,
    hue_bounds: list[int],
) -> torch.Tensor:
    """Apply brightness, contrast, saturation and hue in each image's own order, in place.

    ``blends`` (N, 3) are the first three in the order of each image, with their ``factors`` (N, 3);
    ``shifts`` (N,) are those of the hue. Images (N, 3, H, W) must be sorted by the position (0 to
    3) that hue takes among the four, so that hue, the costly one, runs once for each image and on
    slices: images ``hue_bounds[p]`` to ``hue_bounds[p + 1]`` have it at position ``p``.
    """
    for position, (start, stop) in enumerate(pairwise(hue_bounds)):
        if position:
            blend_(images, blends[:, position - 1], factors[:, position - 1])
        if stop > start:
            adjust_hue_(images[start:stop], shifts[start:stop])
    return images
