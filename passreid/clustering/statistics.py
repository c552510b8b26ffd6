"""What there is to say about clusters."""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix
from torch.nn import functional as F

from .neighbors import check_features, row_chunks, to_tensor

COLUMNS = 64
# Of many images, so many say how good clusters are.
SAMPLE = 10_000


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
        nmi (float, optional): Normalized mutual information with them, over the same images.
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
    """
    labels = _labels('labels', labels)
    inside = labels >= 0
    sizes = np.unique(labels[inside], return_counts=True)[1]
    moved = ari = nmi = one_camera = None
    if previous is not None:
        before = _labels('previous', previous, len(labels))
        both = inside & (before >= 0)
        if both.any():
            pairs = before[both], labels[both]
            together = coo_matrix((np.ones(both.sum(), np.int64), pairs)).tocsr()
            moved = 1 - int(together.max(axis=1).sum()) / int(both.sum())
    if true_ids is not None:
        truth = _labels('true_ids', true_ids, len(labels))
        known = inside & (truth >= 0)
        if known.any():
            # Here, for it takes a second, and evaluation does without.
            from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

            ari = float(adjusted_rand_score(truth[known], labels[known]))
            nmi = float(normalized_mutual_info_score(truth[known], labels[known]))
    if cam_ids is not None:
        cameras = _labels('cam_ids', cam_ids, len(labels))
        if len(sizes) and cameras.min() >= 0 and np.ptp(cameras):
            owners = np.unique(np.stack([labels, cameras])[:, inside], axis=1)[0]
            one_camera = float((np.unique(owners, return_counts=True)[1] == 1).mean())
    smallest, median, largest = np.quantile(sizes, (0, 0.5, 1)) if len(sizes) else (0, 0, 0)
    counts = len(sizes), int((~inside).sum()), int(smallest), float(median), int(largest)
    return ClusterStatistics(*counts, moved, ari, nmi, one_camera)


def cluster_centers(features: Any, labels: Any) -> np.ndarray:
    """Average the features of each cluster.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``.
        labels (np.ndarray | Tensor): Cluster of each image, ``(N,)``, counted from 0; -1 for
            outliers, which are left out.

    Returns:
        np.ndarray: ``(K, D)`` float32, not normalized.

    Raises:
        ValueError: If the features are not a finite matrix, shapes do not fit or a cluster is
            empty.
    """
    matrix = check_features('features', features, 'cpu').numpy()
    clusters = _labels('labels', labels, len(matrix))
    kept = np.flatnonzero(clusters >= 0)
    sizes = np.bincount(clusters[kept])
    if not sizes.all():
        raise ValueError(f'labels leave cluster {int(sizes.argmin())} of {len(sizes)} empty')
    members = csr_matrix((np.ones(len(kept)), (clusters[kept], kept)), (len(sizes), len(matrix)))
    # In float64, of which a few columns at a time need a copy.
    columns = np.array_split(matrix, -(-matrix.shape[1] // COLUMNS), axis=1)
    means = [(members @ block / sizes[:, None]).astype(np.float32) for block in columns]
    return np.concatenate(means, axis=1)


def camera_proxies(
    features: Any, labels: Any, cam_ids: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the unit features of the images that each camera has of each cluster.

    Source: Wang et al., `Camera-aware Proxies for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2012.10674>`_, AAAI 2021, section 3.2.

    Args:
        features (np.ndarray | Tensor): ``(N, D)`` of any length.
        labels (np.ndarray | Tensor): Cluster of each image, ``(N,)``; -1 for outliers, which are
            left out.
        cam_ids (np.ndarray | Tensor): Cameras ``(N,)``; -1 where unknown, which are left out.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: Proxies ``(P, D)`` float32 of unit length, their
        clusters ``(P,)`` int64 and cameras ``(P,)`` int64; one for each pair that occurs, in the
        order of the clusters, then of the cameras.

    Raises:
        ValueError: If the features are not a finite matrix or shapes do not fit.
    """
    unit = F.normalize(check_features('features', features, 'cpu'), dim=1)
    clusters = _labels('labels', labels, len(unit))
    cameras = _labels('cam_ids', cam_ids, len(unit))
    kept = (clusters >= 0) & (cameras >= 0)
    pairs = np.stack([clusters[kept], cameras[kept]]).astype(np.int64)
    owners, places = np.unique(pairs, axis=1, return_inverse=True)
    groups = np.full(len(unit), -1)
    groups[kept] = places.reshape(-1)
    proxies = torch.from_numpy(cluster_centers(unit, groups))
    return F.normalize(proxies, dim=1).numpy(), *owners


def cluster_silhouette(features: Any, labels: Any, cam_ids: Any) -> float:
    """Say without true identities how well clusters fit together across cameras.

    The silhouette of an image is ``(a - b) / max(1 - a, 1 - b)``, with its mean cosine ``a`` to the
    images of its cluster and that to the nearest other cluster, ``b``. Only images of other cameras
    count, or all others where there is but one camera. It is 0 for an image without a cluster, and
    for one whose cluster no other camera has seen.

    Args:
        features (np.ndarray | Tensor): ``(N, D)`` of any length.
        labels (np.ndarray | Tensor): Cluster of each image, ``(N,)``; -1 for outliers.
        cam_ids (np.ndarray | Tensor): Cameras ``(N,)``; -1, unknown, is one as well.

    Returns:
        float: The mean over all images, or 10,000 of more, from -1 to 1; 0 with fewer than two
        clusters.
    """
    unit = F.normalize(check_features('features', features, 'cpu'), dim=1).numpy()
    clusters, cameras = _labels('labels', labels, len(unit)), _labels('cam_ids', cam_ids, len(unit))
    number, total = int(clusters.max()) + 1, 0.0
    if number < 2:
        return total
    cameras = np.unique(cameras, return_inverse=True)[1]
    one_camera = cameras.max() == 0
    images = np.arange(len(unit))
    members = csr_matrix(
        (np.ones(len(unit), np.float32), (clusters + 1, images)), (number + 1, len(unit))
    )[1:]
    sums, sizes = members @ unit, np.bincount(clusters + 1, minlength=number + 1)[1:]
    sample = images[:: -(-len(unit) // SAMPLE)]
    for camera in range(cameras.max() + 1):
        means, counts = sums, sizes
        if not one_camera:
            own = np.flatnonzero(cameras == camera)
            counts = sizes - np.bincount(clusters[own] + 1, minlength=number + 1)[1:]
            means = sums - members[:, own] @ unit[own]
        means = means / np.maximum(counts, 1)[:, None]
        seen = sample[cameras[sample] == camera]
        for rows in row_chunks(len(seen), number):
            at = seen[rows]
            cosines = np.where(counts > 0, unit[at] @ means.T, -np.inf)
            places, cluster = np.arange(len(at)), np.maximum(clusters[at], 0)
            mates, near = counts[cluster], cosines[places, cluster]
            if one_camera:  # The image itself is among those of its cluster.
                near = (near * mates - 1) / np.maximum(mates - 1, 1)
                mates = mates - 1
            cosines[places, cluster] = -np.inf
            far = cosines.max(1)
            counted = (clusters[at] >= 0) & (mates > 0) & np.isfinite(far)
            near, far = near[counted], far[counted]
            total += ((near - far) / np.maximum(1 - np.minimum(near, far), 1e-6)).sum()
    return float(total / len(sample))


def _labels(name: str, labels: Any, number: int | None = None) -> np.ndarray:
    array = to_tensor(labels).cpu().numpy()
    if array.ndim != 1 or number not in (None, len(array)):
        raise ValueError(f'{name} have shape {array.shape}, expected ({number or "images"},)')
    return array
