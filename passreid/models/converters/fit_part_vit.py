"""Fitting of weights to a :class:`PartViT` that is about to load them."""

from typing import Any

import torch
from torch import Tensor

from passreid.utils.load_report import LoadNotes
from passreid.utils.weight_values import check_weights

from ..layers import infer_grid, resize_table
from .layer_scale import add_layer_scale, fold_layer_scale, is_layer_scale
from .patch_kernel import resize_patch_kernel
from .position_rows import check_table, split_positions
from .vit_keys import is_part_vit_key, to_part_vit_keys

_KERNEL = 'patch_embed.projection.weight'
_FROM_CLS = 'started from [CLS]'


def fit_part_vit(weights: dict[str, Tensor], model: Any) -> LoadNotes:
    """Fit weights of any ViT to a model, in place.

    Names become ours; LayerScale is merged when the model has none; the patch embedding and the
    position table are resized; part tokens that the weights lack start from [CLS].

    Args:
        weights (dict[str, Tensor]): Of one ViT, without prefix. Changed.
        model (PartViT): The model.

    Returns:
        LoadNotes: What was changed.

    Raises:
        ValueError: If the number of parts differs, the grid of the positions is not clear, or
            values are no finite floating-point numbers.
    """
    notes = LoadNotes()
    to_part_vit_keys(weights)
    check_weights({name: value for name, value in weights.items() if is_part_vit_key(name)})
    _check_parts(weights, model.num_parts)
    scales = [name for name, _ in model.named_parameters() if is_layer_scale(name)]
    if scales:
        for name in add_layer_scale(weights, scales):
            notes.initialised[name] = 'one (no LayerScale in the file)'
    else:
        notes.merged += fold_layer_scale(weights)
    _resize(weights, model, notes)
    _start_parts(weights, model.num_parts, notes)
    return notes


def _resize(weights: dict[str, Tensor], model: Any, notes: LoadNotes) -> None:
    """Resize patch embedding and positions."""
    kernel, own = weights.get(_KERNEL), model.patch_embed.projection.weight.shape
    # Other channels are another embedding (the ICS stem), not another size of patch.
    if kernel is not None and kernel.shape[:2] == own[:2] and kernel.shape != own:
        weights[_KERNEL] = resize_patch_kernel(kernel, tuple(own[2:]))
        notes.resized[_KERNEL] = tuple(kernel.shape), tuple(own)
    target = model.patch_resolution
    if split_positions(weights, model.pos_embed_grid, target):
        notes.initialised['cls_position'] = 'zero (no position of [CLS] in the file)'
    table = weights.get('pos_embed')
    if table is not None:
        check_table(table)
    if table is None or table.shape[1] == target[0] * target[1]:
        return
    source = model.pos_embed_grid or infer_grid(table.shape[1])
    weights['pos_embed'] = resize_table(table, source, target, model.interpolate_mode)
    notes.resized['pos_embed'] = tuple(table.shape), tuple(weights['pos_embed'].shape)


def _check_parts(weights: dict[str, Tensor], num_parts: int) -> None:
    """Refuse weights for another number of areas of the body: they are other areas."""
    found = sum(name.startswith('part_tokens.') for name in weights)
    if found and num_parts and found != num_parts:
        raise ValueError(
            f'The weights have {found} part tokens, the model has num_parts={num_parts}: set '
            f'num_parts={found}, or 0 for a plain ViT'
        )


def _start_parts(weights: dict[str, Tensor], num_parts: int, notes: LoadNotes) -> None:
    """Give missing parts the [CLS] values plus noise, each its own.

    Equal tokens would get equal gradients and stay equal for ever.
    """
    if not {'cls_token', 'cls_position'} <= weights.keys():
        return
    for parts, source in (('part_tokens', 'cls_token'), ('part_positions', 'cls_position')):
        if f'{parts}.0' in weights:
            continue
        start = weights[source]
        for part in range(num_parts):
            noise = torch.randn_like(start, dtype=torch.float32) * 0.02
            weights[f'{parts}.{part}'] = start + noise.to(start.dtype)
            notes.initialised[f'{parts}.{part}'] = _FROM_CLS
