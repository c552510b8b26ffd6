"""Weights for the plain ViTs of timm, DINO and DeiT."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .flatten import weights_below
from .vit_checkpoint import from_vit_checkpoint
from .vit_keys import authors_vit_key


def to_vit_checkpoint(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    """Give the backbone of a :class:`PartViT` without parts the names of timm.

    The inverse of :func:`from_vit_checkpoint`, for ``timm.models.VisionTransformer`` with the same
    ``img_size``; DINO and DeiT have the same names.

    Args:
        state_dict (Mapping[str, Any]): Weights that hold such a backbone (of pre-training the
            teacher's is taken); the content of a whole file as well.

    Returns:
        dict[str, Tensor]: ``cls_token``, ``pos_embed`` with a row for [CLS], ``blocks.*``, ...

    Raises:
        ValueError: If there is no ViT, or it has part tokens, which take part in its attention.
    """
    inner = weights_below(from_vit_checkpoint(state_dict), 'backbone.')
    if any(name.startswith('part_tokens.') for name in inner):
        raise ValueError('A plain ViT has no place for part tokens: only num_parts=0 fits')
    positions = [inner.pop('cls_position'), inner['pos_embed']]
    inner['pos_embed'] = torch.cat(positions, dim=1)
    return {authors_vit_key(name): value for name, value in inner.items()}
