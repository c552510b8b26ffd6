"""Part-aware multi-crop: global views of the image, local views of its areas."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from passreid.registry import TRANSFORMS

from .part_areas import part_areas
from .random_crop_box import random_crop_boxes

# Up to this factor the four taps of bicubic interpolation still see every pixel.
_MAX_CUBIC_SHRINKING = 2.0


@TRANSFORMS.register_module()
class PartAwareMultiCrop(BaseTransform):
    """Cut the global and local views of PASS out of an image.

    Global views are random resized crops of the image, local views are random resized crops of one
    of ``num_parts`` overlapping areas (see :func:`.part_areas`). Nothing else is done here: flips,
    colour and blur run batched on the model's device
    (:class:`~passreid.models.PASSDataPreprocessor`).

    Crops are resized with ``INTER_AREA`` when both sides shrink and with ``INTER_CUBIC`` when a
    side grows. OpenCV's bicubic interpolation is not antialiased, so in the second case a side that
    shrinks by more than two is reduced with ``INTER_AREA`` first.

    **Required Keys:** img

    **Added Keys:**

    - views: dict of ``global_views`` (num_global, H, W, 3) and ``local_views`` (num_local, h, w, 3)
      uint8 arrays, channels as in ``img``. Local views are ordered by area, from top to
      bottom.
    - view_boxes (with ``keep_boxes``): dict of the same keys, int64 arrays (views, 4) of top, left,
      height and width in pixels of ``img``.

    Args:
        global_size (tuple[int, int]): Height and width of global views in pixels.
        local_size (tuple[int, int]): Height and width of local views in pixels.
        num_parts (int): Number of local areas. 0 means plain self-distillation: local views are cut
            from the whole image.
        local_per_part (int): Local views of each area.
        num_local_whole (int): Local views of an image when ``num_parts`` is 0.
        num_global (int): Global views of an image.
        global_scale (tuple[float, float]): Share of the image's area that a global view shows.
        local_scale (tuple[float, float]): Share of the local area's area that a local view shows.
        aspect_ratio (tuple[float, float]): Bounds of width / height of all crops.
        keep_boxes (bool): Whether to keep the boxes in the results.

    Raises:
        TypeError: If ``img`` is not a (H, W, 3) uint8 array.
    """

    def __init__(
        self,
        global_size: tuple[int, int] = (256, 128),
        local_size: tuple[int, int] = (128, 64),
        num_parts: int = 3,
        local_per_part: int = 3,
        num_local_whole: int = 9,
        num_global: int = 2,
        global_scale: tuple[float, float] = (0.4, 1.0),
        local_scale: tuple[float, float] = (0.1, 0.8),
        aspect_ratio: tuple[float, float] = (3 / 4, 4 / 3),
        keep_boxes: bool = False,
    ) -> None:
        if num_parts < 0:
            raise ValueError(f'num_parts must be 0 or more, got {num_parts}')
        for name, (low, high) in {
            'global_scale': global_scale,
            'local_scale': local_scale,
            'aspect_ratio': aspect_ratio,
        }.items():
            if not 0 < low <= high or (high > 1 and name != 'aspect_ratio'):
                raise ValueError(
                    f'{name} must be a rising pair of positive shares, got {low, high}'
                )
        self.global_size = tuple(global_size)
        self.local_size = tuple(local_size)
        self.num_parts = num_parts
        self.local_per_part = local_per_part
        self.num_local = num_parts * local_per_part if num_parts else num_local_whole
        self.num_global = num_global
        self.aspect_ratio = aspect_ratio
        self.keep_boxes = keep_boxes
        self._scales = np.array([global_scale] * num_global + [local_scale] * self.num_local)

    def draw_boxes(self, height: int, width: int) -> np.ndarray:
        """Draw the boxes of all views, global ones first.

        Args:
            height (int): Height of the image in pixels.
            width (int): Width of the image in pixels.

        Returns:
            np.ndarray: (num_global + num_local, 4) int64 top, left, height, width in pixels.
        """
        areas = np.array([(0, 0, height, width)] + part_areas(height, width, self.num_parts))
        local_per_area = self.num_local // (len(areas) - 1)
        areas = areas.repeat([self.num_global] + [local_per_area] * (len(areas) - 1), axis=0)
        boxes = random_crop_boxes(areas[:, 2], areas[:, 3], self._scales, self.aspect_ratio)
        boxes[:, :2] += areas[:, :2]
        return boxes

    def transform(self, results: dict) -> dict:
        """Cut the views of ``results['img']``.

        Args:
            results (dict): Result of loading, with ``img`` (H, W, 3) uint8.

        Returns:
            dict: The results with the keys listed above.
        """
        image = results['img']
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
            raise TypeError(
                f'PartAwareMultiCrop needs a (H, W, 3) uint8 array for {results.get("img_path")}, '
                f'got {type(image).__name__} {getattr(image, "shape", "")}; load it in colour'
            )
        boxes = self.draw_boxes(*image.shape[:2])
        global_boxes, local_boxes = boxes[: self.num_global], boxes[self.num_global :]
        results['views'] = {
            'global_views': _cut(image, global_boxes, self.global_size),
            'local_views': _cut(image, local_boxes, self.local_size),
        }
        if self.keep_boxes:
            results['view_boxes'] = {'global_views': global_boxes, 'local_views': local_boxes}
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(global_size={self.global_size}, local_size={self.local_size}, '
            f'num_parts={self.num_parts}, num_global={self.num_global}, num_local={self.num_local})'
        )


def _cut(image: np.ndarray, boxes: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Cut ``boxes`` (V, 4) from ``image`` and resize them into one (V, height, width, 3) array."""
    height, width = size
    views = np.empty((len(boxes), height, width, 3), np.uint8)
    for view, (top, left, crop_height, crop_width) in zip(views, boxes.tolist(), strict=True):
        crop = image[top : top + crop_height, left : left + crop_width]
        shrinks = crop_height >= height and crop_width >= width
        if not shrinks:
            if crop_width > _MAX_CUBIC_SHRINKING * width:
                crop = cv2.resize(crop, (width, crop_height), interpolation=cv2.INTER_AREA)
            elif crop_height > _MAX_CUBIC_SHRINKING * height:
                crop = cv2.resize(crop, (crop_width, height), interpolation=cv2.INTER_AREA)
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        cv2.resize(crop, (width, height), dst=view, interpolation=interpolation)
    return views
