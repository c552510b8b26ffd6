"""Addresses of weights besides those of mmengine: the hub of Hugging Face, and timm's names."""

from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from passreid.utils.checkpoint_loading import load_checkpoint_file


def hub_file(address: str, name: str) -> str:
    """Fetch a file of a repository, ``hf://user/name`` or with ``@revision``; return its path."""
    from huggingface_hub import errors, hf_hub_download

    repo_id, _, revision = address.removeprefix('hf://').partition('@')
    try:
        return hf_hub_download(repo_id, name, revision=revision or None)
    except (OSError, errors.HFValidationError) as error:
        raise FileNotFoundError(f'{address} gave no {name}: {error}') from error


@CheckpointLoader.register_scheme('hf://')
def load_from_hub(address: str, map_location: Any = 'cpu') -> dict[str, Tensor]:
    """Load ``model.safetensors`` of a repository; see :func:`hub_file`."""
    return load_checkpoint_file(hub_file(address, 'model.safetensors'), map_location)


@CheckpointLoader.register_scheme('timm://')
def load_from_timm(address: str, map_location: Any = 'cpu') -> dict[str, Tensor]:
    """Load the weights that timm has by a name, such as ``timm://vit_small_patch16_224.dino``."""
    import timm

    name = address.removeprefix('timm://')
    try:
        model = timm.create_model(name, pretrained=True, num_classes=0)
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(f'{address} gave no weights: {error}') from error
    weights = model.state_dict()
    # Rotary positions are no weights: without a name among them nobody could tell.
    if getattr(model, 'rope', None) is not None:
        weights['rope'] = torch.empty(0)
    return weights
