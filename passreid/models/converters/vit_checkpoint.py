"""Vision transformers inside checkpoints of any origin."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .positions import split_positions, stated_grid
from .vit_keys import is_part_vit_key, part_vit_key

_BLOCK = re.compile(r'^layers\.\d+\.')
_SWIGLU = re.compile(r'\.(w12|w1|w2|w3|fc1_g|fc1_x)\.')
# Weights without which the same images give other features.
_REFUSED = {
    r'(reg_token|register_tokens?|storage_tokens)$': 'register tokens take part in its attention, '
    'PartViT has none: take the file of the same model without registers',
    r'(dist_token|distilled_token)$': 'a distillation token takes part in its attention, PartViT '
    'has none: take the file of the same model without distillation',
    r'sie_(embed|xishu)$': 'camera or view embeddings (SIE) are added to its tokens, PartViT has '
    'none: take a model that was trained without SIE_CAMERA and SIE_VIEW',
    r'^patch_embed\.norm\.': 'its patches are normalised, those of PartViT are not: it cannot be '
    'used',
    r'(rope|freqs_|rel_pos_|relative_position)': 'it has rotary or relative positions, PartViT has '
    'a table of positions: it cannot be used',
}


def from_vit_checkpoint(
    checkpoint: Mapping[str, Any],
    prefix: str | None = None,
    grid: tuple[int, int] | None = None,
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
            (SwiGLU, registers, camera embeddings, ...), or its grid is not clear.
    """
    weights = vit_weights(checkpoint, prefix)
    split_positions(weights, stated_grid(checkpoint) or grid)
    return {f'backbone.{key}': value for key, value in weights.items() if is_part_vit_key(key)}


def vit_weights(checkpoint: Mapping[str, Any], prefix: str | None = None) -> dict[str, Tensor]:
    """Return the ViT of a checkpoint and what stands beside it, under our names without prefix.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
        prefix (str, optional): As of :func:`from_vit_checkpoint`.

    Raises:
        ValueError: As :func:`from_vit_checkpoint`.
    """
    weights = flatten(checkpoint, prefix)
    if prefix is None:
        prefixes = vit_prefixes(weights)
        if not prefixes:
            raise ValueError(f'No cls_token, and so no ViT, among {sorted(weights)[:5]}, ...')
        weights = weights_below(weights, best_prefix(prefixes))
    renamed = {part_vit_key(name): value for name, value in weights.items()}
    refuse_other_networks(renamed)
    return renamed


def refuse_other_networks(weights: Mapping[str, Tensor], wanted: Collection[str] = ()) -> None:
    """Make sure that a ViT computes what PartViT does.

    Args:
        weights (Mapping[str, Tensor]): Of one ViT, under our names. Heads and mask tokens do not
            matter.
        wanted (Collection[str]): Names that the model to be filled has, whatever they are.

    Raises:
        ValueError: If it does not; says what to do.
    """
    strange = [name for name in weights if name not in wanted and not is_part_vit_key(name)]
    for pattern, reason in _REFUSED.items():
        if found := [name for name in strange if re.search(pattern, name)]:
            raise ValueError(f'This ViT has {found[0]}: {reason}')
    if 'fc_norm.weight' in weights and 'ln1.weight' not in weights:
        raise ValueError(
            'This ViT averages its patches (fc_norm in place of norm) and its [CLS] means nothing: '
            'take a model whose feature is [CLS]'
        )
    blocks = [name for name in strange if _BLOCK.match(name)]
    if any(_SWIGLU.search(name) for name in blocks) or _is_packed_swiglu(weights):
        raise ValueError(
            'The blocks of this ViT have SwiGLU feed-forward networks (DINOv2 giant), PartViT has '
            'plain ones: take another size of the model'
        )
    if blocks:
        raise ValueError(
            f'The blocks of this ViT have weights that PartViT has not: {blocks[:4]}. It computes '
            'something else and cannot be used'
        )


def _is_packed_swiglu(weights: Mapping[str, Tensor]) -> bool:
    """Whether the first layer of a block is twice as wide as the second expects."""
    first = weights.get('layers.0.ffn.layers.0.0.weight')
    second = weights.get('layers.0.ffn.layers.1.weight')
    if first is None or second is None or first.dim() != 2 or second.dim() != 2:
        return False
    return first.shape[0] == 2 * second.shape[1]
