"""Clusters of images, which stand for identities where there are no labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .jaccard import jaccard_distance


def cluster_pseudo_labels(
    features: Any,
    eps: float = 0.6,
    min_samples: int = 4,
    k1: int = 30,
    k2: int = 6,
    *,
    search: str = 'exact',
    device: torch.device | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Cluster images with DBSCAN by their Jaccard distances.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite, usually of unit length.
        eps (float): Distance up to which two images are near, in (0, 1).
        min_samples (int): Images near an image, itself counted, that make it grow a cluster.
        k1 (int): Size of the neighborhood, an item itself counted.
        k2 (int): Neighbors to average over, an item itself counted; 1 for none.
        search (str): See :func:`jaccard_distance`, as for ``device`` and ``progress``.
        device (torch.device | str, optional): Where to search.
        progress (Callable, optional): Called with how much is done.

    Returns:
        np.ndarray: Cluster of each image, ``(N,)`` int64, counted from 0; -1 for outliers.

    Raises:
        ValueError: If the features are not a finite matrix or a parameter is out of range.
    """
    # At 1 everything would be near, absent elements as well.
    if not 0 < eps < 1:
        raise ValueError(f'eps is {eps}, expected between 0 and 1')
    if min_samples < 1:
        raise ValueError(f'min_samples is {min_samples}, expected at least 1')
    distances = jaccard_distance(
        features, k1, k2, max_distance=eps, search=search, device=device, progress=progress
    )
    return label_distances_(distances, eps, min_samples)


def label_distances_(distances: csr_matrix, eps: float, min_samples: int = 4) -> np.ndarray:
    """Cluster images by sparse distances ``(N, N)``, whose order in each row changes."""
    # Here, for it takes a second, and evaluation does without.
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    # Otherwise DBSCAN sorts a copy.
    sort_graph_by_row_values(distances, warn_when_not_sorted=False)
    clustering = DBSCAN(eps=eps, min_samples=min_samples, metric='precomputed').fit(distances)
    return clustering.labels_.astype(np.int64)
