"""Neighbours, distances and clusters of features: pure functions on arrays."""

from .cluster_centres import cluster_centres
from .cluster_statistics import ClusterStatistics, cluster_statistics
from .jaccard_distance import jaccard_distance
from .neighbours import Neighbours, mutual_neighbours, nearest_neighbours
from .overlap import subtract_overlap_
from .pseudo_labels import cluster_pseudo_labels
from .reciprocal_rows import average_rows, weigh_sets
from .reciprocal_sets import reciprocal_sets
from .sparse_rows import SparseRows

__all__ = [
    'ClusterStatistics',
    'Neighbours',
    'SparseRows',
    'average_rows',
    'cluster_centres',
    'cluster_pseudo_labels',
    'cluster_statistics',
    'jaccard_distance',
    'mutual_neighbours',
    'nearest_neighbours',
    'reciprocal_sets',
    'subtract_overlap_',
    'weigh_sets',
]
