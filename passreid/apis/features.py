"""Features out of the predictions of a model, and a name for the model that made them."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch.nn import functional as F

# What a model is built with and its features in a test do not depend on.
_TRAINING_ALONE = re.compile(
    'init_cfg|num_classes|id_loss|metric_loss|memory|erasing|drop_rate|drop_path_rate|'
    'non_blocking|meta_keys'
)


def unit_features(samples: Sequence[DataSample]) -> np.ndarray:
    """Return the features of samples, at least one: ``(N, D)`` float32 of unit length."""
    if lacking := [sample for sample in samples if 'feature' not in sample]:
        raise ValueError(
            'the model put no "feature" into its predictions: a model for re-identification does '
            '(ImageClassifier with ReIDHead, ClusterContrast), as does PASS; predictions have '
            f'{", ".join(sorted(lacking[0].all_keys()))}'
        )
    features = F.normalize(torch.stack([sample.feature for sample in samples]).float(), dim=1)
    for sample, is_finite in zip(samples, features.isfinite().all(1).tolist(), strict=True):
        if not is_finite:
            name = getattr(sample, 'img_path', '') or 'an image'
            raise ValueError(f'the feature of {name} is not finite: are the weights sound?')
    return features.cpu().numpy()


def model_fingerprint(
    model: BaseModel, settings: Mapping[str, Any], pipeline: Sequence[Mapping], flip: bool
) -> str:
    """Hash all that decides which feature an image gets: 32 digits, the same on every machine.

    These are the weights, the config of the model without what matters in training alone, the
    configs of the transforms, and whether an image and its mirror image are averaged.
    """
    digest = hashlib.sha256()
    described = dict(model=_of_tests(settings), pipeline=_of_tests(pipeline), flip=flip)
    digest.update(json.dumps(described, sort_keys=True, default=_named).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _of_tests(node: Any) -> Any:
    if isinstance(node, Mapping):
        kept = {key for key in node if not _TRAINING_ALONE.fullmatch(key)}
        return {key: _of_tests(node[key]) for key in kept}
    return [_of_tests(value) for value in node] if isinstance(node, list | tuple) else node


def _named(value: Any) -> str:
    """Stand for what JSON does not know: types by name, arrays and tensors by their values."""
    return f'{value.__module__}.{value.__qualname__}' if isinstance(value, type) else repr(value)
