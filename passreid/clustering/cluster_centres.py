"""Mean features of clusters."""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from .cluster_labels import check_labels
from .features import check_features

COLUMNS = 64


def cluster_centres(features: Any, labels: Any) -> np.ndarray:
    """Average the features of each cluster.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``.
        labels (np.ndarray | Tensor): Cluster of each image, ``(N,)``, counted from 0; -1 for
            outliers, which are left out.

    Returns:
        np.ndarray: ``(K, D)`` float32, not normalised.

    Raises:
        ValueError: If the features are not a finite matrix, shapes do not fit or a cluster is
            empty.
    """
    matrix = check_features('features', features, 'cpu')
    clusters = check_labels('labels', labels, len(matrix))
    sizes = np.bincount(clusters[clusters >= 0])
    if not sizes.all():
        raise ValueError(f'labels leave cluster {int(sizes.argmin())} of {len(sizes)} empty')
    kept = np.flatnonzero(clusters >= 0)
    membership = csr_matrix(
        (np.ones(len(kept)), (clusters[kept], kept)), shape=(len(sizes), len(matrix))
    )
    # In float64, of which a few columns at a time need a copy.
    columns = np.array_split(matrix.numpy(), -(-matrix.shape[1] // COLUMNS), axis=1)
    means = [(membership @ block / sizes[:, None]).astype(np.float32) for block in columns]
    return np.concatenate(means, axis=1)
