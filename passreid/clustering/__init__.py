"""Neighbours and distances for re-ranking and clustering: pure functions on arrays."""
