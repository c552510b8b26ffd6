"""A name for what a model makes of images."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel

# What a model is built with and its features in a test do not depend on.
_TRAINING_ALONE = {
    'init_cfg',
    'num_classes',
    'id_loss',
    'metric_loss',
    'memory',
    'erasing',
    'drop_rate',
    'drop_path_rate',
    'non_blocking',
    'meta_keys',
}


def model_fingerprint(
    model: BaseModel, settings: Mapping[str, Any], pipeline: Sequence[Mapping], flip: bool
) -> str:
    """Hash all that decides which feature an image gets.

    Weights, the config of the model (its data preprocessor included), the transforms, and whether
    mirror images are averaged in. Features under one fingerprint can be compared; it is the same in
    every process and on every machine, and takes about a second for 500 MB of weights.

    Args:
        model (BaseModel): The model.
        settings (Mapping): Its config. What matters in training alone is left out.
        pipeline (Sequence[Mapping]): Configs of the transforms.
        flip (bool): Whether an image and its mirror image are averaged.

    Returns:
        str: 32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    described = dict(model=_of_tests(settings), pipeline=_of_tests(pipeline), flip=flip)
    digest.update(json.dumps(described, sort_keys=True, default=_named).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor):
            continue
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _of_tests(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _of_tests(value) for key, value in node.items() if key not in _TRAINING_ALONE}
    if isinstance(node, list | tuple):
        return [_of_tests(value) for value in node]
    return node


def _named(value: Any) -> str:
    """Stand for what JSON does not know: types by name, arrays and tensors by their values."""
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    return repr(value)
