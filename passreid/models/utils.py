"""What several models share: modules from configs, features into samples."""

from typing import Any

from mmpretrain.structures import DataSample
from torch import Tensor, nn

from passreid.registry import MODELS


def build_module(module: dict | nn.Module, **defaults) -> Any:
    """Build a module from its config, with defaults; one that is built already stays."""
    return module if isinstance(module, nn.Module) else MODELS.build({**defaults, **module})


def put_features(
    features: Tensor, data_samples: list[DataSample] | None = None
) -> list[DataSample]:
    """Give each sample, or a new one, its row of ``features (B, D)`` as ``feature (D,)``."""
    data_samples = data_samples or [DataSample() for _ in features]
    for sample, feature in zip(data_samples, features, strict=True):
        sample.feature = feature
    return data_samples
