"""Names of weights: those of timm, DINO, DeiT and the authors of PASS, and ours."""

import re

# Rows of a table: their name and ours. One that ends with a dot is the beginning of a name. `#` is
# a number, `@` the number of a part, which they count from 1 and we from 0.
Table = tuple[tuple[str, str], ...]

_VIT: Table = (
    ('blocks.#.norm1.', 'layers.#.ln1.'),
    ('blocks.#.norm2.', 'layers.#.ln2.'),
    ('blocks.#.mlp.fc1.', 'layers.#.ffn.layers.0.0.'),
    ('blocks.#.mlp.fc2.', 'layers.#.ffn.layers.1.'),
    ('blocks.#.ls1.gamma', 'layers.#.attn.gamma1.weight'),
    ('blocks.#.ls2.gamma', 'layers.#.ffn.gamma2.weight'),
    ('blocks.', 'layers.'),
    ('norm.', 'ln1.'),
    ('norm_pre.', 'pre_norm.'),
    ('patch_embed.proj.', 'patch_embed.projection.'),
    ('patch_embed.conv.#.IN.', 'patch_embed.stem.#.instance_norm.'),
    ('patch_embed.conv.#.BN.', 'patch_embed.stem.#.batch_norm.'),
    ('patch_embed.conv.', 'patch_embed.stem.'),
    ('cls_pos', 'cls_position'),
    ('reg_token', 'register_tokens'),
    ('masked_embed', 'mask_token'),
    ('part_token@', 'part_tokens.@'),
    ('part@_pos', 'part_positions.@'),
)
# What stands beside the backbone in the files of the authors of PASS, by the program that wrote it.
PASS_TABLES: dict[str, Table] = {
    'pretrain': (
        ('head.mlp_cls.', 'neck.projectors.0.'),
        ('head.mlp_pt#.', 'neck.projectors.#.'),
        ('head.last_layer_cls.weight_v', 'neck.prototypes.0.weight'),
        ('head.last_layer_pt#.weight_v', 'neck.prototypes.#.weight'),
        ('head.last_layer_cls.weight_g', 'neck.prototypes.0.weight_g'),
        ('head.last_layer_pt#.weight_g', 'neck.prototypes.#.weight_g'),
    ),
    'supervised': (
        ('bottleneck.', 'head.neck.norms.0.'),
        ('bottleneck_#.', 'head.neck.norms.#.'),
        ('classifier.weight', 'head.classifier.weight'),
    ),
    'usl': (
        ('bottleneck.', 'neck.norms.0.'),
        ('bottleneck_pt#.', 'neck.norms.#.'),
    ),
}

_PART_VIT = re.compile(
    r'^(cls_token|cls_position|register_tokens|pos_embed|part_(tokens|positions)\.\d+'
    r'|patch_embed\.(projection|stem)\..+|(pre_norm|ln1)\..+'
    r'|layers\.\d+\.(ln[12]|attn\.(qkv|proj|gamma1)|ffn\.(layers\.(0\.0|1)|gamma2))\.(weight|bias))$'
)


def translate(name: str, table: Table, back: bool = False) -> str | None:
    """Translate a name by the first row of a table that fits; ``back`` is from ours to theirs."""
    for row in table:
        source, target = reversed(row) if back else row
        pattern = re.escape(source).replace(r'\#', r'(\d+)').replace('@', r'(\d+)')
        match = re.match(pattern if source.endswith('.') else f'{pattern}$', name)
        if match is None:
            continue
        if match.groups():
            number = int(match[1])
            part = number + 1 if back else number - 1
            target = target.replace('#', str(number)).replace('@', str(part))
        return target + name[match.end() :]
    return None


def part_vit_key(key: str) -> str:
    """Name of a backbone weight in :class:`PartViT`; one that needs no change stays.

    Args:
        key (str): Name without prefix, in the style of timm, DINO, DINOv2, DeiT or the
            authors of PASS, or already ours.
    """
    # DINOv2 trains its blocks in chunks; the second number counts over all of them.
    key = re.sub(r'^blocks\.\d+\.(\d+)\.', r'blocks.\1.', key)
    key = re.sub(r'^(blocks\.\d+)\.gamma_([12])$', r'\1.ls\2.gamma', key)
    return translate(key, _VIT) or key


def authors_vit_key(key: str) -> str:
    """Name that timm, DINO and the authors of PASS have for a weight of :class:`PartViT`."""
    if not is_part_vit_key(key):
        raise KeyError(f'{key!r} is not a weight of PartViT')
    return translate(key, _VIT, back=True) or key


def is_part_vit_key(key: str) -> bool:
    """Whether a name, in our style, may belong to a :class:`PartViT`."""
    return _PART_VIT.match(key) is not None
