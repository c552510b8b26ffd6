"""Neighbors, distances and clusters of features: pure functions on arrays."""

from .cameras import standardize_by_camera
from .jaccard import jaccard_distance
from .pseudo_labels import cluster_pseudo_labels
from .statistics import ClusterStatistics, cluster_centers, cluster_statistics

__all__ = [
    'ClusterStatistics',
    'cluster_centers',
    'cluster_pseudo_labels',
    'cluster_statistics',
    'jaccard_distance',
    'standardize_by_camera',
]
