"""Neighbors, distances and clusters of features: pure functions on arrays."""

from .jaccard import jaccard_distance
from .pseudo_labels import cluster_pseudo_labels
from .statistics import ClusterStatistics, camera_proxies, cluster_centers, cluster_statistics

__all__ = [
    'ClusterStatistics',
    'camera_proxies',
    'cluster_centers',
    'cluster_pseudo_labels',
    'cluster_statistics',
    'jaccard_distance',
]
