"""Part-aware multi-crop: global views of the image, local views of its areas."""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpretrain.datasets import PackInputs

from passreid.registry import TRANSFORMS

Range = tuple[float, float]

# Up to this factor the four taps of bicubic interpolation still see every pixel.
_MAX_CUBIC_SHRINKING = 2.0
# Draws of a size before the center is taken.
_TRIES = 10


@TRANSFORMS.register_module()
class PartAwareMultiCrop(BaseTransform):
    """Cut the global and local views of PASS out of an image.

    Global views are random resized crops of the image, local views are random resized crops of one
    of ``num_parts`` overlapping areas (see :func:`.part_areas`). Nothing else is done here: flips,
    color and blur run batched on the model's device
    (:class:`~passreid.models.PASSDataPreprocessor`).

    ``img`` becomes ``views``, a dict of ``global_views`` (num_global, H, W, 3) and ``local_views``
    (num_local, h, w, 3), uint8, by area from top to bottom; with ``keep_boxes`` also
    ``view_boxes``, int64 arrays (views, 4) of top, left, height and width in pixels of ``img``.

    Args:
        global_size (tuple[int, int]): Height and width of global views in pixels.
        local_size (tuple[int, int]): Height and width of local views in pixels.
        num_parts (int): Number of local areas; 0 means plain DINO: the area is the whole image.
        local_per_part (int): Local views of each area.
        num_local_whole (int): Local views of an image when ``num_parts`` is 0.
        num_global (int): Global views of an image.
        global_scale (tuple[float, float]): Share of the image's area that a global view shows.
        local_scale (tuple[float, float]): Share of the local area's area that a local view shows.
        aspect_ratio (tuple[float, float]): Bounds of width / height of all crops.
        keep_boxes (bool): Whether to keep the boxes in the results.
    """

    def __init__(
        self,
        global_size: tuple[int, int] = (256, 128),
        local_size: tuple[int, int] = (128, 64),
        num_parts: int = 3,
        local_per_part: int = 3,
        num_local_whole: int = 9,
        num_global: int = 2,
        global_scale: Range = (0.4, 1.0),
        local_scale: Range = (0.1, 0.8),
        aspect_ratio: Range = (3 / 4, 4 / 3),
        keep_boxes: bool = False,
    ) -> None:
        for name, (low, high) in dict(global_scale=global_scale, local_scale=local_scale).items():
            if not 0 < low <= high <= 1:
                raise ValueError(f'{name} must be a rising pair of shares, but is {low, high}')
        self.global_size = tuple(global_size)
        self.local_size = tuple(local_size)
        self.num_parts = num_parts
        self.num_local = num_parts * local_per_part if num_parts else num_local_whole
        self.num_global = num_global
        self.aspect_ratio = aspect_ratio
        self.keep_boxes = keep_boxes
        self._scales = np.array([global_scale] * num_global + [local_scale] * self.num_local)

    def transform(self, results: dict) -> dict:
        """Cut the views of ``results['img']``, (H, W, 3) uint8."""
        image = results['img']
        if image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise TypeError(
                f'PartAwareMultiCrop needs (H, W, 3) uint8, but {results.get("img_path")} is '
                f'{image.dtype} of shape {image.shape}: load it in color'
            )
        height, width = image.shape[:2]
        areas = np.array([(0, 0, height, width)] + part_areas(height, width, self.num_parts))
        num_areas = len(areas) - 1
        views = [self.num_global] + [self.num_local // num_areas] * num_areas
        areas = areas.repeat(views, axis=0)
        boxes = random_crop_boxes(areas[:, 2], areas[:, 3], self._scales, self.aspect_ratio)
        boxes[:, :2] += areas[:, :2]
        global_boxes, local_boxes = boxes[: self.num_global], boxes[self.num_global :]
        results['views'] = {
            'global_views': _cut(image, global_boxes, self.global_size),
            'local_views': _cut(image, local_boxes, self.local_size),
        }
        if self.keep_boxes:
            results['view_boxes'] = {'global_views': global_boxes, 'local_views': local_boxes}
        return results


@TRANSFORMS.register_module()
class PackViews(PackInputs):
    """Pack the ``views`` of an image as tensors, without copies, into ``inputs``.

    Collate with ``default_collate``, which stacks images in front: (B, num_global, H, W, 3).

    Args:
        meta_keys (tuple[str, ...]): Keys kept as meta information of the data sample.
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


def part_areas(height: int, width: int, num_parts: int) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of the local areas of an image, from top to bottom.

    Each is as wide as the image and half as high; their tops are spread evenly over the upper half
    (section 3.2 of `PASS <https://arxiv.org/abs/2203.03931>`_). For 0 parts it is the whole image.
    """
    if num_parts == 0:
        return [(0, 0, height, width)]
    tops = [part * height // (2 * max(num_parts - 1, 1)) for part in range(num_parts)]
    # An image one pixel high still has areas of one pixel.
    return [(top, 0, max(height // 2, 1), width) for top in tops]


def random_crop_boxes(
    heights: np.ndarray, widths: np.ndarray, scales: np.ndarray, aspect_ratio: Range
) -> np.ndarray:
    """Draw one random resized crop, top, left, height and width (V, 4), in each of V areas.

    Heights and widths of the areas are (V,), the bounds of the shares that are cropped (V, 2). The
    distribution is that of :meth:`torchvision.transforms.RandomResizedCrop.get_params`.
    """
    low, high = np.log(aspect_ratio)
    uniform = np.random.random_sample((len(heights), 2 * _TRIES + 2))
    share = scales[:, :1] + (scales[:, 1:] - scales[:, :1]) * uniform[:, :_TRIES]
    side = np.sqrt(share * (heights * widths)[:, None])
    root_ratio = np.exp((low + (high - low) * uniform[:, _TRIES:-2]) / 2)
    crops = np.rint(np.stack((side / root_ratio, side * root_ratio), 2))
    room = np.stack((heights, widths), 1)
    fits = ((crops > 0) & (crops <= room[:, None])).all(2)
    first = fits.argmax(1)
    rows = np.arange(len(heights))
    sizes = crops[rows, first]
    corners = np.floor(uniform[:, -2:] * (room - sizes + 1))
    failed = ~fits[rows, first]
    if failed.any():
        low, high = aspect_ratio
        largest = np.rint(np.stack((widths / low, heights * high), 1))
        # An area one pixel high or wide must still give a pixel.
        sizes[failed] = np.minimum(room, largest).clip(1)[failed]
        corners[failed] = (room[failed] - sizes[failed]) // 2
    return np.concatenate((corners, sizes), 1).astype(np.int64)


def _cut(image: np.ndarray, boxes: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Cut ``boxes`` (V, 4) from ``image`` and resize them into one (V, height, width, 3) array."""
    height, width = size
    views = np.empty((len(boxes), height, width, 3), np.uint8)
    for view, (top, left, crop_height, crop_width) in zip(views, boxes.tolist(), strict=True):
        crop = image[top : top + crop_height, left : left + crop_width]
        shrinks = crop_height >= height and crop_width >= width
        # OpenCV's bicubic interpolation is not antialiased: a side that shrinks much goes first.
        if not shrinks:
            if crop_width > _MAX_CUBIC_SHRINKING * width:
                crop = cv2.resize(crop, (width, crop_height), interpolation=cv2.INTER_AREA)
            elif crop_height > _MAX_CUBIC_SHRINKING * height:
                crop = cv2.resize(crop, (crop_width, height), interpolation=cv2.INTER_AREA)
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        cv2.resize(crop, (width, height), dst=view, interpolation=interpolation)
    return views
