"""Re-identification without labels."""

from .cluster_contrast import ClusterContrast
from .cluster_memory import ClusterMemory
from .part_refinement import PartRefinement

__all__ = ['ClusterContrast', 'ClusterMemory', 'PartRefinement']
