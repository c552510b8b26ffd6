"""Features of queries and gallery, checked and made ready for distances."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .row_chunks import row_chunks

METRICS = ('euclidean', 'cosine')


def check_features(name: str, features: Any, device: torch.device | str | None = None) -> Tensor:
    """Make a float32 matrix of features.

    Args:
        name (str): How messages call it.
        features (np.ndarray | Tensor): ``(N, D)``.
        device (torch.device | str, optional): Where it shall be; by default where it is.

    Returns:
        Tensor: ``(N, D)`` float32; the features themselves where they are that already.

    Raises:
        ValueError: If it is not a matrix or holds nan or infinity.
    """
    matrix = torch.as_tensor(features)
    if matrix.ndim != 2:
        raise ValueError(f'{name} has shape {tuple(matrix.shape)}, expected (images, dimensions)')
    matrix = matrix.detach().to(device, torch.float32)
    for rows in row_chunks(*matrix.shape):
        finite = matrix[rows].isfinite().all(1)
        if not finite.all():
            row = rows.start + int(finite.logical_not().int().argmax())
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
