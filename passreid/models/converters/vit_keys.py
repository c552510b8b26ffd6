"""Names of ViT weights: those of timm, DINO, DeiT and PASS, and ours."""

import re

_BLOCK_NAMES = {
    'norm1': 'ln1',
    'norm2': 'ln2',
    'mlp.fc1': 'ffn.layers.0.0',
    'mlp.fc2': 'ffn.layers.1',
}
_ICS_STEM_NAMES = {'IN': 'instance_norm', 'BN': 'batch_norm'}

_RULES = (
    (
        re.compile(r'^blocks\.(\d+)\.(norm1|norm2|mlp\.fc1|mlp\.fc2)\.'),
        lambda m: f'layers.{m[1]}.{_BLOCK_NAMES[m[2]]}.',
    ),
    (re.compile(r'^blocks\.'), lambda m: 'layers.'),
    (re.compile(r'^norm\.'), lambda m: 'ln1.'),
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


def part_vit_key(key: str) -> str:
    """Name of a backbone weight in :class:`PartViT`.

    Args:
        key (str): Name without prefix, in the style of timm, DINO, DeiT or the
            authors of PASS, or already ours.

    Returns:
        str: Our name; names that need no change come back as they are.
    """
    for pattern, replacement in _RULES:
        key = pattern.sub(replacement, key)
    return key


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
