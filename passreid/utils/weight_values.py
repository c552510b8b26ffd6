"""Weights that no network can compute with."""

from collections.abc import Mapping

import torch
from torch import Tensor


def check_weights(weights: Mapping[str, Tensor], model: Mapping[str, Tensor] | None = None) -> None:
    """Make sure that weights are finite numbers, stored plainly.

    torch would copy integers, truth values and NaN into a model without a word.

    Args:
        weights (Mapping[str, Tensor]): By name. What is no tensor is passed over.
        model (Mapping[str, Tensor], optional): The state of the model that is to load them. Only
            what it keeps as floating-point numbers is looked at then. Defaults to None: all.

    Raises:
        ValueError: When they are not; names the first and counts the others.
    """
    tensors = {
        name: value
        for name, value in weights.items()
        if isinstance(value, Tensor)
        and (model is None or (name in model and model[name].is_floating_point()))
    }
    for problem, wrong in (
        ('not stored as plain numbers in memory', _is_strange),
        ('no floating-point numbers', _is_no_float),
        ('not finite', _is_not_finite),
    ):
        if found := [name for name, value in tensors.items() if wrong(value)]:
            raise ValueError(
                f'{len(found)} of {len(tensors)} weights are {problem}, the first of them '
                f'{found[0]} ({tensors[found[0]].dtype}): they cannot be used'
            )


def _is_strange(value: Tensor) -> bool:
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        return True
    # A file of a few bytes may claim terabytes by repeating one number.
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def _is_no_float(value: Tensor) -> bool:
    # Batch normalisation counts its batches, in a whole number.
    return not value.is_floating_point() and value.ndim > 0


def _is_not_finite(value: Tensor) -> bool:
    return not bool(value.isfinite().all())
