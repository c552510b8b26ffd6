"""Plain vision transformers inside checkpoints of any origin."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..layers import Grid
from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .names import authors_vit_key, is_part_vit_key, part_vit_key
from .positions import split_positions, stated_grid
from .refusals import refuse_strange


def from_vit_checkpoint(
    checkpoint: Mapping[str, Any], prefix: str | None = None, grid: Grid | None = None
) -> dict[str, Tensor]:
    """Take the vision transformer out of a checkpoint, under our names.

    Known are the files of DINO, DINOv2, TransReID-SSL and PersonViT (of the teacher, where there
    are both), of DeiT, timm and mmpretrain, the authors' and our own: the transformer is what
    stands beside a ``cls_token``. Nothing is fitted to a model yet: :class:`PartViT` resizes
    positions and patches and merges LayerScale when it loads the weights.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
        prefix (str, optional): Beginning of the names of the transformer, such as
            ``'momentum_encoder.'``; needed when the file holds several of unknown roles.
        grid (tuple[int, int], optional): Grid (h, w) of the position table, when the file does not
            tell it and several are plausible.

    Returns:
        dict[str, Tensor]: ``backbone.*``. Left out is what PartViT has no use for: heads and mask
        tokens.

    Raises:
        ValueError: If there is no ViT, or several, if it computes something else than PartViT
            (rotary positions, camera embeddings, ...), or its grid is not clear.
    """
    weights = vit_weights(checkpoint, prefix)
    if 'cls_position' not in weights:
        known = stated_grid(checkpoint) or grid
        split_positions(weights, [(known, 'as it was told')] if known else [])
    return {f'backbone.{key}': value for key, value in weights.items() if is_part_vit_key(key)}


def vit_weights(checkpoint: Mapping[str, Any], prefix: str | None = None) -> dict[str, Tensor]:
    """Return the ViT of a checkpoint and what stands beside it, under our names without prefix."""
    weights = flatten(checkpoint, prefix)
    if prefix is None:
        prefixes = vit_prefixes(weights)
        if not prefixes:
            raise ValueError(f'No cls_token, and so no ViT, among {sorted(weights)[:5]}, ...')
        weights = weights_below(weights, best_prefix(prefixes))
    weights = {part_vit_key(name): value for name, value in weights.items()}
    refuse_strange(weights)
    return weights


def to_vit_checkpoint(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Give the backbone of a :class:`PartViT` without parts the names of timm.

    The inverse of :func:`from_vit_checkpoint`, for ``timm.models.VisionTransformer`` with the same
    ``img_size``; DINO and DeiT have the same names. With registers it is as timm's
    ``vit_*_reg4_dinov2``: their model has ``reg_tokens`` and ``no_embed_class=True``.

    Args:
        state_dict (Mapping[str, Any]): Weights that hold such a backbone (of pre-training the
            teacher's is taken); the content of a whole file as well.

    Returns:
        dict[str, Tensor]: ``cls_token``, ``pos_embed`` with a row for [CLS] (without registers),
        ``blocks.*``, ...

    Raises:
        ValueError: If there is no ViT, or it has part tokens, which take part in its attention.
    """
    weights = weights_below(from_vit_checkpoint(state_dict), 'backbone.')
    if any(name.startswith('part_tokens.') for name in weights):
        raise ValueError('A plain ViT has no place for part tokens: only num_parts=0 fits')
    position = weights.pop('cls_position')
    if 'register_tokens' in weights:
        weights['cls_token'] = weights['cls_token'] + position
    else:
        weights['pos_embed'] = torch.cat([position, weights['pos_embed']], dim=1)
    return {authors_vit_key(name): value for name, value in weights.items()}
