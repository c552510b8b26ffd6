"""Neighbors, distances and clusters of features: pure functions on arrays."""

from .agreement import cross_agreement
from .jaccard import jaccard_distance
from .pseudo_labels import cluster_pseudo_labels
from .statistics import ClusterStatistics, cluster_centers, cluster_statistics

__all__ = [
    'ClusterStatistics',
    'cluster_centers',
    'cluster_pseudo_labels',
    'cluster_statistics',
    'cross_agreement',
    'jaccard_distance',
]
