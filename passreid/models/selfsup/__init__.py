"""Self-supervised algorithms."""

from .pass_ssl import PASS

__all__ = ['PASS']
