"""Self-supervised algorithms."""

from .masked_pass import MaskedPASS
from .pass_ssl import PASS

__all__ = ['PASS', 'MaskedPASS']
