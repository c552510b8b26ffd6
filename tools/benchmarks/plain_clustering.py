"""Clustering of images on dense matrices of all pairs, composed plainly, to compare with."""

import numpy as np
from numpy import ndarray
from plain_ranking import jaccard_distances, reciprocal_set, squared_distances
from sklearn.cluster import DBSCAN
from torch import Tensor, from_numpy

CHUNK = 1024


def nearest(features: Tensor, k: int = 30) -> ndarray:
    """Search the nearest ``k`` of each image, itself included; indices ``(N, k)``."""
    pieces = []
    for rows in features.split(CHUNK):
        distances = from_numpy(squared_distances(rows, features))
        pieces.append(distances.topk(k, largest=False).indices.numpy())
    return np.concatenate(pieces)


def jaccard(features: Tensor, order: ndarray, k1: int = 30, k2: int = 6) -> ndarray:
    """Compute all distances ``(N, N)`` (https://arxiv.org/abs/1701.08398, section 3)."""
    number, values = len(order), features.numpy()
    weights = np.zeros((number, number), np.float32)
    for item in range(number):
        chosen = reciprocal_set(order, item, k1, itself=0)
        weight = np.exp(2 * values[chosen] @ values[item] - 2)
        weights[item, chosen] = weight / weight.sum()
    if k2 > 1:
        weights = np.stack([weights[order[item, :k2]].mean(0) for item in range(number)])
    return jaccard_distances(weights, weights).clip(0)


def cluster(distances: ndarray, eps: float = 0.6, min_samples: int = 4) -> ndarray:
    """Cluster with DBSCAN; labels ``(N,)``."""
    return DBSCAN(eps=eps, min_samples=min_samples, metric='precomputed').fit(distances).labels_
