"""Neighbors, distances and clusters of features: pure functions on arrays."""

from .agreement import cross_agreement
from .cameras import camera_scales, standardize_by_camera
from .jaccard import jaccard_distance
from .pseudo_labels import Clusters, cluster_pseudo_labels, find_clusters
from .statistics import (
    ClusterStatistics,
    camera_proxies,
    cluster_centers,
    cluster_silhouette,
    cluster_statistics,
)

__all__ = [
    'ClusterStatistics',
    'Clusters',
    'camera_proxies',
    'camera_scales',
    'cluster_centers',
    'cluster_pseudo_labels',
    'cluster_silhouette',
    'cluster_statistics',
    'cross_agreement',
    'find_clusters',
    'jaccard_distance',
    'standardize_by_camera',
]
