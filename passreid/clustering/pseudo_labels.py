"""Clusters of images, which stand for identities where there are no labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .jaccard_distance import jaccard_distance


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
    """Cluster images with DBSCAN by their Jaccard distances; see :func:`jaccard_distance`.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite, usually of unit length.
        eps (float): Distance up to which two images are near, in (0, 1).
        min_samples (int): Images near an image, itself counted, that make it grow a cluster.
        k1 (int): Size of the neighbourhood, an item itself counted.
        k2 (int): Neighbours to average over, an item itself counted; 1 for none.
        search (str): ``'exact'`` or ``'faiss'``.
        device (torch.device | str, optional): Where to search; by default where the features are.
        progress (Callable, optional): Called with how many parts of the search are done and how
            many there are.

    Returns:
        np.ndarray: Cluster of each image, ``(N,)`` int64, counted from 0; -1 for outliers.

    Raises:
        ImportError: If faiss is wanted and not installed.
        ValueError: If the features are not a finite matrix or a parameter is out of range.
    """
    _check(eps, min_samples)
    distances = jaccard_distance(
        features, k1, k2, max_distance=eps, search=search, device=device, progress=progress
    )
    return label_distances_(distances, eps, min_samples)


def label_distances_(distances: csr_matrix, eps: float = 0.6, min_samples: int = 4) -> np.ndarray:
    """Cluster images by their distances, whose order in each row changes.

    Args:
        distances (csr_matrix): ``(N, N)`` float32; absent elements stand for ones above ``eps``.
        eps (float): Distance up to which two images are near, in (0, 1).
        min_samples (int): Images near an image, itself counted, that make it grow a cluster.

    Returns:
        np.ndarray: Cluster of each image, ``(N,)`` int64, counted from 0; -1 for outliers.

    Raises:
        ValueError: If a parameter is out of range.
    """
    # Here, for it takes a second, and evaluation does without.
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    _check(eps, min_samples)
    # Otherwise DBSCAN sorts a copy.
    sort_graph_by_row_values(distances, warn_when_not_sorted=False)
    clustering = DBSCAN(eps=eps, min_samples=min_samples, metric='precomputed').fit(distances)
    return clustering.labels_.astype(np.int64)


def _check(eps: float, min_samples: int) -> None:
    # At 1 everything would be near, absent elements as well.
    if not 0 < eps < 1:
        raise ValueError(f'eps is {eps}, expected between 0 and 1')
    if min_samples < 1:
        raise ValueError(f'min_samples is {min_samples}, expected at least 1')
