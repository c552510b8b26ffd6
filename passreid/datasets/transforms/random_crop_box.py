"""Boxes of random resized crops, drawn for many views at once."""

import numpy as np

Range = tuple[float, float]

_TRIES = 10


def random_crop_boxes(
    heights: np.ndarray, widths: np.ndarray, scales: np.ndarray, aspect_ratio: Range
) -> np.ndarray:
    """Draw one random resized crop in each of ``V`` areas.

    The distribution is that of :meth:`torchvision.transforms.RandomResizedCrop.get_params`: up to
    ten draws of a size, then a centre crop as large as the range of aspect ratios allows. The
    numbers come from the global generator of ``np.random``.

    Args:
        heights (np.ndarray): Heights of the areas in pixels, (V,) int.
        widths (np.ndarray): Widths of the areas in pixels, (V,) int.
        scales (np.ndarray): Lower and upper bound of the share of the area that is cropped, (V, 2).
        aspect_ratio (tuple[float, float]): Bounds of width / height, drawn log-uniformly.

    Returns:
        np.ndarray: (V, 4) int64 rows of top, left, height and width in pixels, relative to the
        top left corner of each area.
    """
    num_views = len(heights)
    low, high = np.log(aspect_ratio)
    uniform = np.random.random_sample((num_views, 2 * _TRIES + 2))
    share = scales[:, :1] + (scales[:, 1:] - scales[:, :1]) * uniform[:, :_TRIES]
    side = np.sqrt(share * (heights * widths)[:, None])
    root_ratio = np.exp((low + (high - low) * uniform[:, _TRIES:-2]) / 2)
    crop_widths = np.rint(side * root_ratio)
    crop_heights = np.rint(side / root_ratio)
    fits = (
        (crop_widths > 0)
        & (crop_widths <= widths[:, None])
        & (crop_heights > 0)
        & (crop_heights <= heights[:, None])
    )
    first = fits.argmax(1)
    rows = np.arange(num_views)
    sizes = np.stack((crop_heights[rows, first], crop_widths[rows, first]), 1)
    room = np.stack((heights, widths), 1)
    corners = np.floor(uniform[:, -2:] * (room - sizes + 1))
    failed = ~fits[rows, first]
    if failed.any():
        sizes[failed] = _centre_crop_sizes(room[failed], aspect_ratio)
        corners[failed] = (room[failed] - sizes[failed]) // 2
    return np.concatenate((corners, sizes), 1).astype(np.int64)


def _centre_crop_sizes(room: np.ndarray, aspect_ratio: Range) -> np.ndarray:
    """Largest height and width (N, 2) in ``room`` (N, 2) whose ratio is within the bounds."""
    low, high = aspect_ratio
    heights, widths = room.T
    heights = np.where(widths < low * heights, np.rint(widths / low), heights)
    widths = np.where(widths > high * room[:, 0], np.rint(high * room[:, 0]), widths)
    # An area one pixel high or wide must still give a pixel.
    return np.maximum(np.stack((heights, widths), 1), 1)
