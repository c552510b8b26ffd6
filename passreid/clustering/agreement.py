"""Agreement of the neighbors of images in the global and in the part features."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from .approximate import approximate_neighbors
from .neighbors import check_features, mutual_neighbors, to_tensor


def cross_agreement(
    features: Any,
    parts: Any,
    k: int = 20,
    *,
    search: str = 'exact',
    device: torch.device | str | None = None,
) -> np.ndarray:
    """Compare the nearest neighbors of each image in the global and in the part features.

    The agreement is the Jaccard index of both sets of the ``k`` nearest other images. Features are
    compared at unit length; of equally near images that of the smaller index is the nearer one.

    Source: Cho et al., `Part-based Pseudo Label Refinement for Unsupervised Person
    Re-identification <https://arxiv.org/abs/2203.14675>`_, CVPR 2022.

    Args:
        features (np.ndarray | Tensor): Global features ``(N, D)`` of all images, finite.
        parts (np.ndarray | Tensor): Part features ``(N, L, d)`` of the same images, finite.
        k (int): How many neighbors, the image itself not counted; all others if there are fewer.
        search (str): See :func:`jaccard_distance`.
        device (torch.device | str, optional): Where to search; by default where the features are.

    Returns:
        np.ndarray: ``(N, L)`` float32 from 0 to 1; 0 for an image that is alone.

    Raises:
        ValueError: If features are not finite, shapes do not fit or ``k`` is less than 1.
    """
    if k < 1:
        raise ValueError(f'k is {k}, expected at least 1')
    parts = to_tensor(parts)
    if parts.ndim != 3 or len(parts) != len(features):
        raise ValueError(
            f'parts have shape {tuple(parts.shape)}, expected ({len(features)}, parts, dimensions)'
        )
    if search == 'faiss':
        device = 'cpu'

    def neighbors(name: str, rows: Any) -> np.ndarray:
        """Indices ``(N, k)`` of the nearest other images."""
        unit = F.normalize(check_features(name, rows, device), dim=1)
        if search == 'faiss':
            return approximate_neighbors(unit, k + 1)[:, 1:]
        return mutual_neighbors(unit, k + 1)[0][:, 1:]

    near = neighbors('features', features)
    return np.stack([_jaccard(near, neighbors('parts', part)) for part in parts.unbind(1)], axis=1)


def _jaccard(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Jaccard indices ``(N,)`` of the sets that rows ``(N, k)`` list."""
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    # What both sets hold occurs twice.
    shared = (both[:, 1:] == both[:, :-1]).sum(1)
    return (shared / np.maximum(both.shape[1] - shared, 1)).astype(np.float32)
