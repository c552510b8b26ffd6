"""Fitting of weights to a :class:`PartViT` that is about to load them."""

import re
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..layers import Grid, resize_patch_kernel, resize_table
from .names import part_vit_key
from .positions import split_positions
from .refusals import refuse_other_settings, refuse_strange

_KERNEL = 'patch_embed.projection.weight'
_SCALE = re.compile(r'^(layers\.\d+\.)(attn\.gamma1|ffn\.gamma2)\.weight$')
# The linear layer whose output a LayerScale multiplies.
_SCALED = {'attn.gamma1': 'attn.proj', 'ffn.gamma2': 'ffn.layers.1'}

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
    for key in list(weights):
        weights[part_vit_key(key)] = weights.pop(key)
    own = model.state_dict()
    refuse_strange(name for name in weights if name not in own)
    _check_parts(weights, model.num_parts, notes)
    if 'cls_token' in weights:
        refuse_other_settings(weights, own)
    _fit_layer_scale(weights, own, notes)
    if 'mask_token' in weights and 'mask_token' in own:
        # That of others is a table of one row.
        weights['mask_token'] = weights['mask_token'].flatten()
    for name in own:
        weight = weights.get(f'{name.removesuffix(".bias")}.weight')
        if name.endswith('.bias') and name not in weights and weight is not None:
            weights[name] = torch.zeros_like(own[name], device=weight.device)
            notes.initialised[name] = 'zero (no bias in the file)'
    _resize(weights, model, grid, notes)
    _start_parts(weights, model.num_parts, notes)
    return notes


def fold_layer_scale(weights: dict[str, Tensor]) -> list[str]:
    """Multiply LayerScale into the linear layers before it, in place; return their names.

    Exact: ``gamma * (W x + b) = (gamma * W) x + gamma * b`` (`Going deeper with Image Transformers
    <https://arxiv.org/abs/2103.17239>`_, section 2); what changes is float32 or wider.
    """
    scales = {name: _linear_before(name) for name in weights if _SCALE.match(name)}
    for name, linear in scales.items():
        scale = weights.pop(name)
        scale = scale.to(torch.promote_types(scale.dtype, torch.float32))
        weights[f'{linear}.weight'] = weights[f'{linear}.weight'] * scale[:, None]
        if f'{linear}.bias' in weights:
            weights[f'{linear}.bias'] = weights[f'{linear}.bias'] * scale
    return list(scales)


def _linear_before(name: str) -> str:
    return _SCALE.sub(lambda match: match[1] + _SCALED[match[2]], name)


def _fit_layer_scale(weights: dict[str, Tensor], own: dict[str, Tensor], notes: FitNotes) -> None:
    """Merge LayerScale for a model without; give weights without scales of 1 for one with."""
    wanted = [name for name in own if _SCALE.match(name)]
    if not wanted:
        notes.merged += fold_layer_scale(weights)
    for name in wanted:
        if name not in weights and f'{_linear_before(name)}.weight' in weights:
            weights[name] = torch.ones_like(own[name])
            notes.initialised[name] = 'one (no LayerScale in the file)'


def _resize(weights: dict[str, Tensor], model: Any, stated: Grid | None, notes: FitNotes) -> None:
    """Resize patch embedding and positions."""
    rows, had_position = len(weights.get('pos_embed', [[]])[0]), 'cls_position' in weights
    told = ((stated, 'as the file says'), (model.pos_embed_grid, 'as pos_embed_grid says'))
    target = tuple(model.patch_resolution)
    found = split_positions(weights, [(grid, how) for grid, how in told if grid], target)
    kernel, own = weights.get(_KERNEL), model.patch_embed.projection.weight.shape
    # Other channels are another embedding (the ICS stem), not another size of patch.
    if kernel is not None and kernel.shape[:2] == own[:2] and kernel.shape != own:
        weights[_KERNEL] = resize_patch_kernel(kernel, tuple(own[2:]))
        notes.resized[_KERNEL] = tuple(kernel.shape), tuple(own)
    if found is None:
        return
    source, how = found
    patches = weights['pos_embed']
    if not had_position and patches.shape[1] == rows:
        notes.initialised['cls_position'] = 'zero (no position of [CLS] in the file)'
    text = f'Positions: {source[0]}x{source[1]}, {how}'
    if tuple(source) != target:
        weights['pos_embed'] = resize_table(patches, source, target, model.interpolate_mode)
        notes.resized['pos_embed'] = tuple(patches.shape), tuple(weights['pos_embed'].shape)
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


def _start_parts(weights: dict[str, Tensor], num_parts: int, notes: FitNotes) -> None:
    """Give missing parts the [CLS] values plus noise, each its own.

    Equal tokens would get equal gradients and stay equal for ever.
    """
    started = False
    for parts, source in (('part_tokens', 'cls_token'), ('part_positions', 'cls_position')):
        if source not in weights or f'{parts}.0' in weights:
            continue
        start = weights[source]
        for part in range(num_parts):
            noise = torch.randn_like(start, dtype=torch.float32) * 0.02
            weights[f'{parts}.{part}'] = start + noise.to(start.dtype)
            notes.initialised[f'{parts}.{part}'] = 'started from [CLS]'
            started = True
    if started:
        notes.remarks.append(
            'The file has no part tokens: they start from [CLS] and change its features. For the '
            'network as it was trained set num_parts=0 of the backbone.'
        )
