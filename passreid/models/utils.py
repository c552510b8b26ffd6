"""What several models share: modules from configs, features into samples."""

from typing import Any

from mmpretrain.structures import DataSample
from torch import Tensor, nn

from passreid.registry import MODELS


def build_module(module: dict | nn.Module, **defaults) -> Any:
    """Build a module from its config; one that is built already stays.

    Args:
        module (dict | nn.Module): The module or its config.
        **defaults: What the config may leave out.

    Returns:
        nn.Module: The module. Callers know its class, hence no narrower type.
    """
    return module if isinstance(module, nn.Module) else MODELS.build({**defaults, **module})


def put_features(
    features: Tensor, data_samples: list[DataSample] | None = None
) -> list[DataSample]:
    """Give each sample its feature.

    Args:
        features (Tensor): ``(B, D)``.
        data_samples (list[DataSample], optional): The samples; None makes new ones.

    Returns:
        list[DataSample]: Each with ``feature``, ``(D,)``.
    """
    data_samples = data_samples or [DataSample() for _ in features]
    for sample, feature in zip(data_samples, features, strict=True):
        sample.feature = feature
    return data_samples
