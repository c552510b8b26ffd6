"""The nearest items of each row of a block of distances."""

import numpy as np
from torch import Tensor

from .nearest_heap import nearest_rows
from .threads import over_rows


def nearest_items(distances: Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest items of each row; of equal distances the smaller index is the nearer one.

    Args:
        distances (Tensor): ``(R, G)`` on any device; infinite where an item does not count.
        number (int): How many are wanted.

    Returns:
        tuple[np.ndarray, np.ndarray]: Distances ``(R, number)`` and indices ``(R, number)`` int64,
        nearest first; infinity and -1 where no item is left.
    """
    if distances.device.type != 'cpu':
        return nearest_items_on_device(distances, number)
    block = distances.numpy()
    nearest = np.full((len(block), number), np.inf, block.dtype)
    indices = np.full((len(block), number), -1, np.int64)
    over_rows(nearest_rows, len(block), block, nearest, indices)
    return nearest, indices


def nearest_items_on_device(distances: Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest items where the distances are; see :func:`nearest_items`."""
    # Adding zero makes -0.0 and 0.0 the same; a sort by bits would part them.
    values, order = (distances + 0.0).sort(dim=1, stable=True)
    shape = (len(distances), number)
    nearest, indices = values.new_full(shape, np.inf), order.new_full(shape, -1)
    nearest[:, : values.shape[1]] = values[:, :number]
    indices[:, : values.shape[1]] = order[:, :number]
    indices[nearest == np.inf] = -1
    return nearest.cpu().numpy(), indices.cpu().numpy()
