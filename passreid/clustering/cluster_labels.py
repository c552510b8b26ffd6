"""Labels of clusters, checked."""

from typing import Any

import numpy as np

from .features import to_tensor


def check_labels(name: str, labels: Any, number: int | None = None) -> np.ndarray:
    """Make an array of labels, -1 for none.

    Args:
        name (str): How messages call it.
        labels (np.ndarray | Tensor): ``(N,)``, of an integer type.
        number (int, optional): How many there have to be.

    Returns:
        np.ndarray: ``(N,)`` int64.

    Raises:
        TypeError: If they are not integers.
        ValueError: If their shape is another one or one is below -1.
    """
    array = to_tensor(labels).cpu().numpy()
    if array.dtype.kind not in 'iu':
        raise TypeError(f'{name} hold {array.dtype}, expected integers')
    if array.ndim != 1 or number not in (None, len(array)):
        expected = 'images' if number is None else number
        raise ValueError(f'{name} have shape {array.shape}, expected ({expected},)')
    if len(array) and array.min() < -1:
        raise ValueError(f'{name} hold {array.min()}, expected -1 (none) or more')
    return array.astype(np.int64, copy=False)
