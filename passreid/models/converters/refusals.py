"""Vision transformers that compute something else than the model that is to be filled."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from .names import is_part_vit_key

_LAYERS = r'^layers\.\d+\.'
# Patterns of names that PartViT has not, and what a model with such weights has and is to do.
_STRANGE = {
    r'(dist_token|distilled_token)$': 'a distillation token: take its file without distillation',
    r'sie_(embed|xishu)$': 'camera embeddings: take a model without SIE_CAMERA and SIE_VIEW',
    r'^b1\.': 'a second last layer: take a model without JPM of TransReID',
    r'^patch_embed\.norm\.': 'a normalisation of its patches',
    r'^patch_embed\.backbone\.': 'a convolutional network before it',
    r'(rope|freqs_|rel_pos_|relative_position|storage_tokens)': 'rotary or relative positions',
    r'^(fc_norm|attn_pool)\.': 'a mean for a feature: take a model whose feature is [CLS]',
    _LAYERS: 'other blocks (as the SwiGLU of DINOv2 giant): take another size of it',
}
# Beginnings of the names of what PartViT has or has not, what that is, and the arguments for both.
_OPTIONAL = (
    ('pre_norm.', 'normalisation before the blocks', 'pre_norm=True', 'pre_norm=False'),
    ('patch_embed.stem.', 'convolutional stem', "stem='ics'", "stem='patch'"),
    ('ln1.', 'final normalisation', 'final_norm=True', 'final_norm=False'),
)


def refuse_strange(names: Iterable[str]) -> None:
    """Raise a ValueError that says what to do when a name is that of another kind of network."""
    strange = [name for name in names if not is_part_vit_key(name)]
    for pattern, what in _STRANGE.items():
        if found := [name for name in strange if re.search(pattern, name)]:
            raise ValueError(f'PartViT cannot stand in for a model ({found[0]}) with {what}')


def refuse_other_settings(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raise a ValueError that names the argument in which the model differs from its weights."""
    if 'pos_embed' not in weights:
        raise ValueError('The weights have no table of positions (they may be rotary)')
    for start, what, if_found, if_not in _OPTIONAL:
        found, wanted = (any(n.startswith(start) for n in names) for names in (weights, own))
        if found != wanted:
            raise ValueError(
                f'The weights have {"a" if found else "no"} {what}, other than the model: set '
                f'{if_found if found else if_not} of the backbone'
            )
    registers, own_registers = (
        names['register_tokens'].shape[1] if 'register_tokens' in names else 0
        for names in (weights, own)
    )
    if registers != own_registers:
        raise ValueError(
            f'The weights have {registers} registers, the model has {own_registers}: set '
            f'num_registers={registers} of the backbone'
        )
    wide, narrow = (weights.get(f'layers.0.ffn.layers.{name}.weight') for name in ('0.0', '1'))
    if wide is not None and narrow is not None and len(wide) == 2 * narrow.shape[1]:
        raise ValueError(f'The weights have {_STRANGE[_LAYERS]}')
    depth, own_depth = (
        len({name.split('.')[1] for name in names if name.startswith('layers.')})
        for names in (weights, own)
    )
    if depth > own_depth:
        raise ValueError(
            f'The weights have {depth} layers, the model has {own_depth}: set arch of the backbone'
        )
