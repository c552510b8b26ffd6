import pytest
from plain_vits import part_vit

from passreid.models.converters import part_vit_key
from passreid.models.converters.names import authors_vit_key, is_part_vit_key


@pytest.mark.parametrize(
    'options',
    [
        dict(num_parts=3),
        dict(layer_scale_init_value=0.1),
        dict(pre_norm=True),
        dict(num_parts=2, stem='ics'),
    ],
    ids=str,
)
def test_every_weight_of_the_backbone_goes_there_and_back(options):
    for name in part_vit(**options).state_dict():
        assert is_part_vit_key(name), name
        theirs = authors_vit_key(name)
        assert part_vit_key(theirs) == name
        assert theirs != name or name in ('cls_token', 'pos_embed'), name


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('blocks.1.gamma_1', 'layers.1.attn.gamma1.weight'),
        ('blocks.3.10.attn.qkv.weight', 'layers.10.attn.qkv.weight'),
        ('patch_embed.conv.4.IN.bias', 'patch_embed.stem.4.instance_norm.bias'),
        ('part_token3', 'part_tokens.2'),
        ('part1_pos', 'part_positions.0'),
    ],
)
def test_names(theirs, ours):
    assert part_vit_key(theirs) == ours
    assert part_vit_key(ours) == ours
