"""Heads of passreid."""

from .pass_head import PASSHead

__all__ = ['PASSHead']
