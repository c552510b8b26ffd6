"""Random erasing of a batch of images."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# Boxes that are drawn for an image until one fits into it; as in timm. With 256x128 pixels none of
# them fits for one image in 10^7, which then stays whole.
_ATTEMPTS = 10
_AREAS = {'noise': (0.02, 1 / 3), 'constant': (0.02, 0.4)}


class RandomErasing:
    """Erase one box of each chosen image, batched on the device of the images.

    The share of the area is uniform; the aspect ratio (height by width) is log-uniform with
    ``'noise'`` and uniform with ``'constant'``, each as in the recipe that the mode comes from.
    Which images are erased, and where, is drawn from torch's global CPU generator, so that a seed
    gives the same boxes on all devices; noise is drawn from the generator of the images' device.

    Source: `Random Erasing Data Augmentation <https://arxiv.org/abs/1708.04896>`_, algorithm 1.

    Args:
        prob (float): Probability that an image is erased. Defaults to 0.5.
        mode (str): ``'noise'``: each value from N(0, 1); ``'constant'``: ``value``.
            Defaults to ``'noise'``.
        area (tuple[float, float], optional): Bounds of the share of the image that is erased.
            Defaults to (0.02, 1/3) with ``'noise'``, (0.02, 0.4) with ``'constant'``.
        aspect_ratio (tuple[float, float]): Bounds of the height by the width of the box.
            Defaults to (0.3, 1 / 0.3).
        value (Sequence[float]): What ``'constant'`` fills the channels with, on the scale of the
            normalised image. Defaults to (0.485, 0.456, 0.406).
    """

    def __init__(
        self,
        prob: float = 0.5,
        mode: str = 'noise',
        area: tuple[float, float] | None = None,
        aspect_ratio: tuple[float, float] = (0.3, 1 / 0.3),
        value: Sequence[float] = (0.485, 0.456, 0.406),
    ) -> None:
        if mode not in _AREAS:
            raise ValueError(f"Erasing mode must be 'noise' or 'constant', not {mode!r}")
        self.area = _AREAS[mode] if area is None else area
        self.prob = prob
        self.mode = mode
        self.aspect_ratio = aspect_ratio
        self.value = value

    def __call__(self, images: Tensor) -> Tensor:
        """Return normalised images ``(B, C, H, W)`` with their boxes erased."""
        boxes = self.draw_boxes(len(images), *images.shape[2:])
        mask = _box_mask(boxes.to(images.device, non_blocking=True), *images.shape[2:])
        if self.mode == 'constant':
            value = torch.tensor(self.value, dtype=images.dtype).view(-1, 1, 1)
            return torch.where(mask, value.to(images.device, non_blocking=True), images)
        # The number of erased pixels is known on the host: no noise is drawn in vain.
        count = images.shape[1] * int((boxes[:, 2] * boxes[:, 3]).sum())
        noise = torch.randn(count, dtype=images.dtype, device=images.device)
        return images.masked_scatter(mask, noise)

    def draw_boxes(self, num_images: int, height: int, width: int) -> Tensor:
        """Draw the box of each image from torch's global CPU generator.

        Top, left, height and width in pixels, ``(B, 4)`` int64 on the CPU; height and width are 0
        where nothing is erased. Boxes are smaller than the image in both directions.
        """
        chosen = torch.rand(num_images) < self.prob
        area, aspect = torch.rand(2, num_images, _ATTEMPTS)
        offsets = torch.rand(num_images, 2)
        area = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area)
        low, high = self.aspect_ratio
        if self.mode == 'noise':
            aspect = torch.exp(math.log(low) + math.log(high / low) * aspect)
        else:
            aspect = low + (high - low) * aspect
        sizes = torch.stack(((area * aspect).sqrt(), (area / aspect).sqrt()), 2).round().long()
        fits = (sizes < torch.tensor([height, width])).all(2)
        first = fits.int().argmax(1)
        sizes = sizes[torch.arange(num_images), first]
        sizes *= (chosen & fits.any(1)).unsqueeze(1)
        places = (offsets * (torch.tensor([height, width]) - sizes + 1)).long()
        return torch.cat((places, sizes), 1)


def _box_mask(boxes: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in the boxes ``(B, 4)``: ``(B, 1, H, W)`` bool."""
    top, left, box_height, box_width = boxes[:, :, None, None, None].unbind(1)
    rows = torch.arange(height, device=boxes.device).view(-1, 1)
    columns = torch.arange(width, device=boxes.device)
    inside_rows = (rows >= top) & (rows < top + box_height)
    return inside_rows & (columns >= left) & (columns < left + box_width)
