"""Visualisation of passreid."""

import mmpretrain.visualization  # noqa: F401  (parents never import lazily)
