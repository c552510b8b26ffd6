"""A procedural renderer of pedestrians as surveillance cameras see them."""

from .generate import GENERATOR_VERSION, generate_synthetic
from .identity import DOMAINS
from .picture import Picture, render
from .plan import SyntheticSettings
from .walk import Scene, write_scene

__all__ = [
    'DOMAINS',
    'GENERATOR_VERSION',
    'Picture',
    'Scene',
    'SyntheticSettings',
    'generate_synthetic',
    'render',
    'write_scene',
]
