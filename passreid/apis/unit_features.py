"""Features out of the predictions of a model."""

from collections.abc import Sequence

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch.nn import functional as F


def unit_features(samples: Sequence[DataSample]) -> np.ndarray:
    """Collect the features of samples.

    Args:
        samples (Sequence[DataSample]): At least one, each with ``feature`` ``(D,)``.

    Returns:
        np.ndarray: ``(N, D)`` float32 of unit length.

    Raises:
        ValueError: When a sample has no feature, or one that is not finite.
    """
    for sample in samples:
        if 'feature' not in sample:
            raise ValueError(
                'the model put no "feature" into its predictions: a model for re-identification '
                'does (ImageClassifier with ReIDHead, ClusterContrast), as does PASS; predictions '
                f'have {", ".join(sorted(sample.all_keys()))}'
            )
    features = F.normalize(torch.stack([sample.feature for sample in samples]).float(), dim=1)
    finite = features.isfinite().all(1)
    if not finite.all():
        sample = samples[int(finite.logical_not().int().argmax())]
        name = getattr(sample, 'img_path', '') or 'an image'
        raise ValueError(
            f'the feature of {name} is not finite: are the weights of the model sound?'
        )
    return features.cpu().numpy()
