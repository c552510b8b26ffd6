"""Re-identification without labels."""

from .cluster_contrast import ClusterContrast
from .cluster_memory import ClusterMemory

__all__ = ['ClusterContrast', 'ClusterMemory']
