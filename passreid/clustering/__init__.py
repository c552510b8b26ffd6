"""Neighbours and distances for re-ranking and clustering: pure functions on arrays."""

from .neighbours import Neighbours, mutual_neighbours, nearest_neighbours
from .overlap import subtract_overlap_
from .reciprocal_rows import average_rows, weigh_sets
from .reciprocal_sets import reciprocal_sets
from .sparse_rows import SparseRows

__all__ = [
    'Neighbours',
    'SparseRows',
    'average_rows',
    'mutual_neighbours',
    'nearest_neighbours',
    'reciprocal_sets',
    'subtract_overlap_',
    'weigh_sets',
]
