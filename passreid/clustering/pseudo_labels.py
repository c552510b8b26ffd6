"""Clusters of images, which stand for identities where there are no labels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix

from .jaccard import jaccard_distance

# Among which to choose: above, nearly everything hangs together; below, next to nothing does.
EPS = np.arange(6, 15) / 20


class Clusters(NamedTuple):
    """Cluster of each image, ``(N,)`` int64 from 0, -1 for outliers, and how it was found."""

    labels: np.ndarray
    eps: float
    k1: int


def cluster_pseudo_labels(features: Any, *args: Any, **options: Any) -> np.ndarray:
    """Return the ``labels`` of :func:`find_clusters`, of the same arguments."""
    return find_clusters(features, *args, **options).labels


def find_clusters(
    features: Any,
    eps: float | None = 0.6,
    min_samples: int = 4,
    k1: int | None = 30,
    k2: int = 6,
    *,
    search: str = 'exact',
    device: torch.device | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Clusters:
    """Cluster images with DBSCAN by their Jaccard distances.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite, usually of unit length.
        eps (float, optional): Distance up to which two images are near, in (0, 1). With None it is
            the one of 0.3, 0.35, ..., 0.7 that gives the most clusters: with smaller ones people
            fall apart into outliers, with larger ones they grow together.
        min_samples (int): Images near an image, itself counted, that make it grow a cluster.
        k1 (int, optional): Size of the neighborhood, an item itself counted. With None a quarter
            of the root of the number of images, from 8 to 30.
        k2 (int): Neighbors to average over, an item itself counted; 1 for none.
        search (str): See :func:`jaccard_distance`, as for ``device`` and ``progress``.
        device (torch.device | str, optional): Where to search.
        progress (Callable, optional): Called with how much is done.

    Returns:
        Clusters: The clusters, ``eps`` and ``k1``.

    Raises:
        ValueError: If the features are not a finite matrix or a parameter is out of range.
    """
    # At 1 everything would be near, absent elements as well.
    if eps is not None and not 0 < eps < 1:
        raise ValueError(f'eps is {eps}, expected between 0 and 1')
    if min_samples < 1:
        raise ValueError(f'min_samples is {min_samples}, expected at least 1')
    if k1 is None:
        k1 = int(np.clip(round(len(features) ** 0.5 / 4), 8, 30))
    choices = EPS.tolist() if eps is None else [eps]
    distances = jaccard_distance(
        features, k1, k2, max_distance=choices[-1], search=search, device=device, progress=progress
    )
    found = [Clusters(label_distances_(distances, one, min_samples), one, k1) for one in choices]
    return max(found, key=lambda clusters: clusters.labels.max())


def label_distances_(distances: csr_matrix, eps: float, min_samples: int = 4) -> np.ndarray:
    """Cluster images by sparse distances ``(N, N)``, whose order in each row changes."""
    # Here, for it takes a second, and evaluation does without.
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    # Otherwise DBSCAN sorts a copy.
    sort_graph_by_row_values(distances, warn_when_not_sorted=False)
    clustering = DBSCAN(eps=eps, min_samples=min_samples, metric='precomputed').fit(distances)
    return clustering.labels_.astype(np.int64)
