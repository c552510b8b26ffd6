"""Tracks of cameras: reading, features, and one identity over all cameras."""
