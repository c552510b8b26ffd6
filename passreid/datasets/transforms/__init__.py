"""Transforms; mmpretrain's are available under their own names."""

__all__: list[str] = []
