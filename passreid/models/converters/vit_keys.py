"""Names of ViT weights: those of timm, DINO, DeiT and PASS, and ours."""

import re
from collections.abc import Callable

_BLOCK_NAMES = {
    'norm1': 'ln1',
    'norm2': 'ln2',
    'mlp.fc1': 'ffn.layers.0.0',
    'mlp.fc2': 'ffn.layers.1',
}
_ICS_STEM_NAMES = {'IN': 'instance_norm', 'BN': 'batch_norm'}
_SCALE_NAMES = {'1': 'attn.gamma1', '2': 'ffn.gamma2'}
_FROM_BLOCK_NAMES = {ours: theirs for theirs, ours in _BLOCK_NAMES.items()}
_FROM_ICS_STEM_NAMES = {ours: theirs for theirs, ours in _ICS_STEM_NAMES.items()}

_Rules = tuple[tuple[re.Pattern, Callable[[re.Match], str]], ...]

_RULES: _Rules = (
    # DINOv2 trains its blocks in chunks; the second number counts over all of them.
    (re.compile(r'^blocks\.\d+\.(\d+)\.'), lambda m: f'blocks.{m[1]}.'),
    (
        re.compile(r'^blocks\.(\d+)\.(norm1|norm2|mlp\.fc1|mlp\.fc2)\.'),
        lambda m: f'layers.{m[1]}.{_BLOCK_NAMES[m[2]]}.',
    ),
    (
        re.compile(r'^blocks\.(\d+)\.(?:ls([12])\.gamma|gamma_([12]))$'),
        lambda m: f'layers.{m[1]}.{_SCALE_NAMES[m[2] or m[3]]}.weight',
    ),
    (re.compile(r'^blocks\.'), lambda m: 'layers.'),
    (re.compile(r'^norm\.'), lambda m: 'ln1.'),
    (re.compile(r'^norm_pre\.'), lambda m: 'pre_norm.'),
    (re.compile(r'^patch_embed\.proj\.'), lambda m: 'patch_embed.projection.'),
    (
        re.compile(r'^patch_embed\.conv\.(\d+)\.(IN|BN)\.'),
        lambda m: f'patch_embed.stem.{m[1]}.{_ICS_STEM_NAMES[m[2]]}.',
    ),
    (re.compile(r'^patch_embed\.conv\.'), lambda m: 'patch_embed.stem.'),
    (re.compile(r'^cls_pos$'), lambda m: 'cls_position'),
    (re.compile(r'^part_token(\d+)$'), lambda m: f'part_tokens.{int(m[1]) - 1}'),
    (re.compile(r'^part(\d+)_pos$'), lambda m: f'part_positions.{int(m[1]) - 1}'),
)

_INVERSE_RULES: _Rules = (
    (
        re.compile(r'^layers\.(\d+)\.(ln1|ln2|ffn\.layers\.0\.0|ffn\.layers\.1)\.'),
        lambda m: f'blocks.{m[1]}.{_FROM_BLOCK_NAMES[m[2]]}.',
    ),
    (
        re.compile(r'^layers\.(\d+)\.(?:attn\.gamma|ffn\.gamma)([12])\.weight$'),
        lambda m: f'blocks.{m[1]}.ls{m[2]}.gamma',
    ),
    (re.compile(r'^layers\.'), lambda m: 'blocks.'),
    (re.compile(r'^ln1\.'), lambda m: 'norm.'),
    (re.compile(r'^pre_norm\.'), lambda m: 'norm_pre.'),
    (re.compile(r'^patch_embed\.projection\.'), lambda m: 'patch_embed.proj.'),
    (
        re.compile(r'^patch_embed\.stem\.(\d+)\.(instance_norm|batch_norm)\.'),
        lambda m: f'patch_embed.conv.{m[1]}.{_FROM_ICS_STEM_NAMES[m[2]]}.',
    ),
    (re.compile(r'^patch_embed\.stem\.'), lambda m: 'patch_embed.conv.'),
    (re.compile(r'^cls_position$'), lambda m: 'cls_pos'),
    (re.compile(r'^part_tokens\.(\d+)$'), lambda m: f'part_token{int(m[1]) + 1}'),
    (re.compile(r'^part_positions\.(\d+)$'), lambda m: f'part{int(m[1]) + 1}_pos'),
)

_PART_VIT = re.compile(
    r'^(cls_token|cls_position|pos_embed|part_(tokens|positions)\.\d+'
    r'|patch_embed\.(projection|stem)\..+|(pre_norm|ln1)\..+'
    r'|layers\.\d+\.(ln[12]|attn\.(qkv|proj|gamma1)|ffn\.(layers\.(0\.0|1)|gamma2))\.(weight|bias))$'
)


def part_vit_key(key: str) -> str:
    """Name of a backbone weight in :class:`PartViT`.

    Args:
        key (str): Name without prefix, in the style of timm, DINO, DINOv2, DeiT or the
            authors of PASS, or already ours.

    Returns:
        str: Our name; names that need no change come back as they are.
    """
    return _renamed(key, _RULES)


def authors_vit_key(key: str) -> str:
    """Name that timm, DINO and the authors of PASS have for a weight of :class:`PartViT`.

    Args:
        key (str): Name without prefix.

    Returns:
        str: Their name, the inverse of :func:`part_vit_key`.

    Raises:
        KeyError: If it is not the name of a weight of PartViT.
    """
    if not is_part_vit_key(key):
        raise KeyError(f'{key!r} is not a weight of PartViT')
    return _renamed(key, _INVERSE_RULES)


def is_part_vit_key(key: str) -> bool:
    """Whether a name, in our style, may belong to a :class:`PartViT`."""
    return _PART_VIT.match(key) is not None


def to_part_vit_keys(state_dict: dict, prefix: str = '') -> None:
    """Rename backbone weights in place.

    Args:
        state_dict (dict): Weights by name.
        prefix (str): Only names that begin with it are looked at.
    """
    for key in [key for key in state_dict if key.startswith(prefix)]:
        renamed = prefix + part_vit_key(key[len(prefix) :])
        if renamed != key:
            state_dict[renamed] = state_dict.pop(key)


def _renamed(key: str, rules: _Rules) -> str:
    for pattern, replacement in rules:
        key = pattern.sub(replacement, key)
    return key
