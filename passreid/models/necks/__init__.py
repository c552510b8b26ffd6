"""Necks of passreid."""

from .pass_neck import PASSNeck

__all__ = ['PASSNeck']
