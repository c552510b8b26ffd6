"""Average query expansion (Chum et al., Total Recall, ICCV 2007)."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from passreid.clustering.neighbors import nearest_neighbors, prepare_metric

from .labels import check_pair


def average_query_expansion(
    query_features: Any,
    gallery_features: Any,
    k: int = 5,
    alpha: float = 0.0,
    chunk_size: int | None = None,
    device: torch.device | str | None = None,
) -> np.ndarray:
    """Replace each query by the mean of itself and its nearest gallery features.

    All are L2-normalized first, and nearest is by the cosine, whatever their identity or camera.

    Args:
        query_features (np.ndarray | Tensor): ``(Q, D)``.
        gallery_features (np.ndarray | Tensor): ``(G, D)``.
        k (int): How many gallery features to add; at most all are.
        alpha (float): A gallery feature has the weight ``cos ** alpha``, 0 if the cosine is
            negative (https://arxiv.org/abs/1711.02512); 0 for the plain mean.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.
        device (torch.device | str, optional): Where to compute; by default where the queries are.

    Returns:
        np.ndarray: ``(Q, D)`` float32, L2-normalized.

    Raises:
        ValueError: If shapes do not fit, a feature is not finite or a parameter is out of range.
    """
    for name, value, least in (('k', k, 1), ('alpha', alpha, 0)):
        if value < least:
            raise ValueError(f'{name} is {value}, expected at least {least}')
    query, gallery = prepare_metric('cosine', *check_pair(query_features, gallery_features, device))
    distances, indices = (
        torch.as_tensor(found, device=query.device)
        for found in nearest_neighbors(query, gallery, k, 'cosine', chunk_size)
    )
    weights = (1 - distances).clamp_(min=0).pow_(alpha) if alpha else torch.ones_like(distances)
    expanded = query.clone()
    for neighbour, weight in zip(indices.T, weights.T, strict=True):
        expanded.addcmul_(gallery[neighbour], weight[:, None])
    return F.normalize(expanded, dim=1).cpu().numpy()
