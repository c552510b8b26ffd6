"""Metrics of passreid."""

import mmpretrain.evaluation  # noqa: F401  (parents never import lazily)
