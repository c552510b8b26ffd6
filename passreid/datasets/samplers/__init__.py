"""Samplers."""

__all__: list[str] = []
