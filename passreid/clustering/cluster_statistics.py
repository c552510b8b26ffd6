"""What there is to say about clusters."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix

from .cluster_labels import check_labels


class ClusterStatistics(NamedTuple):
    """Figures of a clustering.

    Args:
        num_clusters (int): Clusters.
        num_outliers (int): Images without one.
        smallest (int): Images of the smallest cluster, 0 without clusters.
        median (float): Median number of images of a cluster, 0 without clusters.
        largest (int): Images of the largest cluster, 0 without clusters.
        moved (float, optional): Share of the images with a cluster, now as before, that are not in
            the cluster that most images of their former one are in. None without such images.
        ari (float, optional): Adjusted Rand index with the true identities, over the images that
            have a cluster and a known identity; 1 when they agree. None without such images.
        nmi (float, optional): Normalised mutual information with them, over the same images.
        one_camera (float, optional): Share of the clusters whose images come from one camera. None
            where cameras are not known, or there is but one.
    """

    num_clusters: int
    num_outliers: int
    smallest: int
    median: float
    largest: int
    moved: float | None = None
    ari: float | None = None
    nmi: float | None = None
    one_camera: float | None = None


def cluster_statistics(
    labels: Any, previous: Any = None, true_ids: Any = None, cam_ids: Any = None
) -> ClusterStatistics:
    """Describe a clustering, how it differs from another one and how far it meets the truth.

    Args:
        labels (np.ndarray | Tensor): Cluster of each image, ``(N,)``; -1 for outliers.
        previous (np.ndarray | Tensor, optional): Clusters ``(N,)`` before, with any numbers.
        true_ids (np.ndarray | Tensor, optional): Identities ``(N,)``; -1 where unknown.
        cam_ids (np.ndarray | Tensor, optional): Cameras ``(N,)``; -1 where unknown.

    Returns:
        ClusterStatistics: The figures.

    Raises:
        TypeError: If something is not an integer.
        ValueError: If shapes do not fit or a number is below -1.
    """
    labels = check_labels('labels', labels)
    inside = labels >= 0
    sizes = np.unique(labels[inside], return_counts=True)[1]
    moved = ari = nmi = one_camera = None
    if previous is not None:
        before = check_labels('previous', previous, len(labels))
        both = inside & (before >= 0)
        moved = _share_moved(before[both], labels[both]) if both.any() else None
    if true_ids is not None:
        truth = check_labels('true_ids', true_ids, len(labels))
        known = inside & (truth >= 0)
        if known.any():
            # Here, for it takes a second, and evaluation does without.
            from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

            ari = float(adjusted_rand_score(truth[known], labels[known]))
            nmi = float(normalized_mutual_info_score(truth[known], labels[known]))
    if cam_ids is not None:
        cameras = check_labels('cam_ids', cam_ids, len(labels))
        if len(sizes) and cameras.min() >= 0 and np.ptp(cameras):
            one_camera = _share_of_one_camera(labels[inside], cameras[inside])
    return ClusterStatistics(
        num_clusters=len(sizes),
        num_outliers=int(len(labels) - inside.sum()),
        smallest=int(sizes.min(initial=len(labels))) if len(sizes) else 0,
        median=float(np.median(sizes)) if len(sizes) else 0.0,
        largest=int(sizes.max(initial=0)),
        moved=moved,
        ari=ari,
        nmi=nmi,
        one_camera=one_camera,
    )


def _share_moved(before: np.ndarray, after: np.ndarray) -> float:
    """Share of images outside the cluster that most of their former one are in."""
    number = len(before)
    together = coo_matrix((np.ones(number, np.int64), (before, after))).tocsr()
    return 1 - int(together.max(axis=1).sum()) / number


def _share_of_one_camera(labels: np.ndarray, cameras: np.ndarray) -> float:
    """Share of the clusters whose images all have one camera."""
    owners = np.unique(np.stack([labels, cameras]), axis=1)[0]
    return float((np.unique(owners, return_counts=True)[1] == 1).mean())
