"""LayerScale of weights for models with and without."""

import re

import torch
from torch import Tensor

_SCALE = re.compile(r'^(layers\.\d+\.)(?:attn\.gamma1|ffn\.gamma2)\.weight$')
_SCALED = {'attn.gamma1': 'attn.proj', 'ffn.gamma2': 'ffn.layers.1'}


def fold_layer_scale(weights: dict[str, Tensor]) -> list[str]:
    """Multiply LayerScale into the linear layers before it, in place.

    Exact: ``gamma * (W x + b) = (gamma * W) x + gamma * b``.

    Source: `Going deeper with Image Transformers <https://arxiv.org/abs/2103.17239>`_, section 2.

    Args:
        weights (dict[str, Tensor]): Of one PartViT, under its names. Changed: the scales are gone,
            and ``attn.proj`` and ``ffn.layers.1`` are float32 or wider.

    Returns:
        list[str]: Names of the scales. One without a linear layer stays.
    """
    scales = [
        name
        for name in weights
        if _SCALE.match(name) and f'{_linear_before(name)}.weight' in weights
    ]
    for name in scales:
        scale = weights.pop(name)
        scale = scale.to(torch.promote_types(scale.dtype, torch.float32))
        linear = _linear_before(name)
        weights[f'{linear}.weight'] = weights[f'{linear}.weight'] * scale[:, None]
        if f'{linear}.bias' in weights:
            weights[f'{linear}.bias'] = weights[f'{linear}.bias'] * scale
    return scales


def add_layer_scale(weights: dict[str, Tensor], names: list[str]) -> list[str]:
    """Give weights without LayerScale scales of 1, in place.

    Args:
        weights (dict[str, Tensor]): Of one PartViT, under its names. Changed.
        names (list[str]): Scales that the model has.

    Returns:
        list[str]: Names of the scales that were added: those whose layer the weights have.
    """
    added = []
    for name in names:
        linear = weights.get(f'{_linear_before(name)}.weight')
        if name not in weights and linear is not None:
            weights[name] = torch.ones(linear.shape[0])
            added.append(name)
    return added


def is_layer_scale(name: str) -> bool:
    """Whether a weight of PartViT is a LayerScale."""
    return _SCALE.match(name) is not None


def _linear_before(name: str) -> str:
    name = name.removesuffix('.weight')
    for scale, linear in _SCALED.items():
        name = name.replace(scale, linear)
    return name
