"""Samplers."""

from .identity_sampler import IdentitySampler
from .resumable_sampler import ResumableSampler

__all__ = ['IdentitySampler', 'ResumableSampler']
