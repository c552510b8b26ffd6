"""Samplers."""

from .cross_camera_sampler import CrossCameraIdentitySampler
from .identity_sampler import IdentitySampler
from .resumable_sampler import ResumableSampler

__all__ = ['CrossCameraIdentitySampler', 'IdentitySampler', 'ResumableSampler']
