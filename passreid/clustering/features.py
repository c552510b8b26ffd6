"""Features of queries and gallery, checked and made ready for distances."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

METRICS = ('euclidean', 'cosine')


def to_tensor(values: Any) -> Tensor:
    """Tensor that shares the memory of an array, which may be read-only and is never written."""
    if isinstance(values, Tensor):
        return values.detach()
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The given NumPy array is not writable')
        return torch.from_numpy(np.asarray(values))


def check_features(name: str, features: Any, device: torch.device | str | None = None) -> Tensor:
    """Make a float32 matrix of features.

    Args:
        name (str): How messages call it.
        features (np.ndarray | Tensor): ``(N, D)``.
        device (torch.device | str, optional): Where it shall be; by default where it is.

    Returns:
        Tensor: ``(N, D)`` float32; the features themselves where they are that already.

    Raises:
        ValueError: If it is not a matrix, is empty or holds nan or infinity.
    """
    matrix = to_tensor(features)
    if matrix.ndim != 2 or not matrix.numel():
        raise ValueError(f'{name} has shape {tuple(matrix.shape)}, expected (images, dimensions)')
    matrix = matrix.to(device, torch.float32)
    least, greatest = matrix.aminmax(dim=1)
    finite = least.isfinite() & greatest.isfinite()
    if not finite.all():
        row = int(finite.logical_not().int().argmax())
        raise ValueError(f'row {row} of {name} holds nan or infinity')
    return matrix


def check_pair(
    query_features: Any, gallery_features: Any, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Make float32 matrices ``(Q, D)`` and ``(G, D)`` on one device; see :func:`check_features`.

    Raises:
        ValueError: If they have unlike dimensions or hold nan or infinity.
    """
    query = check_features('query_features', query_features, device)
    gallery = check_features('gallery_features', gallery_features, device or query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f'query_features have {query.shape[1]} dimensions, gallery_features {gallery.shape[1]}'
        )
    return query, gallery


def prepare_metric(metric: str, *features: Tensor) -> tuple[Tensor, ...]:
    """Normalise features for the cosine.

    Raises:
        ValueError: If the metric is neither ``'euclidean'`` nor ``'cosine'``.
    """
    if metric not in METRICS:
        raise ValueError(f'metric is {metric!r}, expected one of {METRICS}')
    if metric == 'cosine':
        return tuple(F.normalize(matrix, dim=1) for matrix in features)
    return features
