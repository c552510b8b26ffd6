"""Fitting of weights to a :class:`PartViT` that is about to load them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..layers import Grid, resize_patch_kernel, resize_table
from .layer_scale import add_layer_scale, fold_layer_scale, is_layer_scale
from .positions import resolve_positions
from .vit_checkpoint import refuse_other_networks
from .vit_keys import to_part_vit_keys

_KERNEL = 'patch_embed.projection.weight'
_FROM_CLS = 'started from [CLS]'
_NO_BIAS = 'zero (no bias in the file)'

Shape = tuple[int, ...]


@dataclass
class FitNotes:
    """What was done to weights before a module took them; names are those inside the module.

    Args:
        resized (dict[str, tuple]): Tensor of the module to its shape in the file and now.
        initialised (dict[str, str]): Tensor that is not from the file to where it comes from.
        merged (list[str]): Weights of the file that live on in other tensors of the module.
        remarks (list[str]): What the user should know, a sentence each.
    """

    resized: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    initialised: dict[str, str] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def fit_part_vit(weights: dict[str, Tensor], model: Any, grid: Grid | None = None) -> FitNotes:
    """Fit weights of any ViT to a model, in place.

    Names become ours; LayerScale is merged when the model has none; the patch embedding and the
    position table are resized; part tokens that the weights lack start from [CLS]; biases that they
    lack are zero, as they are in a network without.

    Args:
        weights (dict[str, Tensor]): Of one ViT, without prefix. Changed.
        model (PartViT): The model.
        grid (tuple[int, int], optional): Grid (h, w) of the positions, when the file tells it.

    Returns:
        FitNotes: What was changed.

    Raises:
        ValueError: If the number of parts differs, the ViT computes something else than the model,
            or the grid of the positions is not clear.
    """
    notes = FitNotes()
    to_part_vit_keys(weights)
    own = model.state_dict()
    refuse_other_networks(weights, own)
    _check_parts(weights, model.num_parts, notes)
    if 'cls_token' in weights:
        _check_structure(weights, own)
    scales = [name for name in own if is_layer_scale(name)]
    if scales:
        for name in add_layer_scale(weights, scales):
            notes.initialised[name] = 'one (no LayerScale in the file)'
    else:
        notes.merged += fold_layer_scale(weights)
    for name in own.keys() - weights.keys():
        weight = weights.get(f'{name.removesuffix(".bias")}.weight')
        if name.endswith('.bias') and weight is not None:
            weights[name] = torch.zeros_like(own[name], device=weight.device)
            notes.initialised[name] = _NO_BIAS
    _resize(weights, model, grid, notes)
    _start_parts(weights, model.num_parts, notes)
    return notes


def _resize(weights: dict[str, Tensor], model: Any, stated: Grid | None, notes: FitNotes) -> None:
    """Resize patch embedding and positions."""
    before: Any = weights.get('pos_embed'), 'cls_position' in weights
    found = resolve_positions(weights, model, stated)
    kernel, own = weights.get(_KERNEL), model.patch_embed.projection.weight.shape
    # Other channels are another embedding (the ICS stem), not another size of patch.
    if kernel is not None and kernel.shape[:2] == own[:2] and kernel.shape != own:
        weights[_KERNEL] = resize_patch_kernel(kernel, tuple(own[2:]))
        notes.resized[_KERNEL] = tuple(kernel.shape), tuple(own)
    if found is None:
        return
    source, how = found
    table, target = weights['pos_embed'], tuple(model.patch_resolution)
    if not before[1] and table.shape == before[0].shape:
        notes.initialised['cls_position'] = 'zero (no position of [CLS] in the file)'
    text = f'Positions: {source[0]}x{source[1]}, {how}'
    if tuple(source) != target:
        weights['pos_embed'] = resize_table(table, source, target, model.interpolate_mode)
        notes.resized['pos_embed'] = tuple(table.shape), tuple(weights['pos_embed'].shape)
        text += f'; resized to {target[0]}x{target[1]}'
    notes.remarks.append(f'{text}.')


def _check_parts(weights: dict[str, Tensor], num_parts: int, notes: FitNotes) -> None:
    """Refuse weights for another number of areas of the body: they are other areas."""
    found = sum(name.startswith('part_tokens.') for name in weights)
    if found and num_parts and found != num_parts:
        raise ValueError(
            f'The weights have {found} part tokens, the model has num_parts={num_parts}: set '
            f'num_parts={found}, or 0 for a plain ViT'
        )
    if found and not num_parts:
        notes.remarks.append(
            f'The {found} part tokens of the file take part in its attention; without them '
            f'(num_parts=0) its features differ. For the network as it was trained set '
            f'num_parts={found} of the backbone.'
        )


def _check_structure(weights: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Refuse weights for a model of another structure, and say how to set it."""

    def has(names: Iterable[str], start: str) -> bool:
        return any(name.startswith(start) for name in names)

    found = has(weights, 'pre_norm.')
    if found != has(own, 'pre_norm.'):
        raise ValueError(
            f'The weights have {"a" if found else "no"} normalisation before the blocks: set '
            f'pre_norm={found} of the backbone'
        )
    found = has(weights, 'patch_embed.stem.')
    if found != has(own, 'patch_embed.stem.') and has(weights, 'patch_embed.'):
        stem = 'ics' if found else 'patch'
        raise ValueError(f'The weights have another embedding of patches: set stem={stem!r}')
    depth, wanted = (
        len({name.split('.')[1] for name in names if name.startswith('layers.')})
        for names in (weights, own)
    )
    if depth > wanted:
        raise ValueError(
            f'The weights have {depth} layers, the model has {wanted}: set arch of the backbone'
        )


def _start_parts(weights: dict[str, Tensor], num_parts: int, notes: FitNotes) -> None:
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
    if _FROM_CLS in notes.initialised.values():
        notes.remarks.append(
            'The file has no part tokens: they start from [CLS] and change its features. For the '
            'network as it was trained set num_parts=0 of the backbone.'
        )
