"""Re-identification without labels."""

from .camera_memory import CameraMemory
from .cluster_contrast import ClusterContrast
from .cluster_memory import ClusterMemory
from .part_refinement import PartRefinement

__all__ = ['CameraMemory', 'ClusterContrast', 'ClusterMemory', 'PartRefinement']
