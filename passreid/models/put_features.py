"""Features into samples."""

from mmpretrain.structures import DataSample
from torch import Tensor


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
