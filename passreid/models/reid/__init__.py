"""Re-identification without labels."""

from .camera_memory import CameraMemory
from .cluster_contrast import ClusterContrast
from .cluster_memory import ClusterMemory

__all__ = ['CameraMemory', 'ClusterContrast', 'ClusterMemory']
