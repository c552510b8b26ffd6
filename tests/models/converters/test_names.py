import pytest

from passreid.models.converters import part_vit_key


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
