"""Start of a part-aware ViT in which tokens attend to where they stand."""

from typing import Any

import torch
from torch import Tensor

# Wave lengths in rows or columns of an 8 x 4 grid go from 18 to 1.5 patches.
_LOWEST_FREQUENCY, _OCTAVES = 0.35, 3.6


def sine_cosine_table(height: int, width: int, channels: int) -> Tensor:
    """Positions on a grid as sines and cosines of row (first half) and column.

    The frequencies are relative to the height of the grid, so that finer
    patches keep the same positions.

    Args:
        height (int): Rows.
        width (int): Columns.
        channels (int): Channels C, a multiple of 4.

    Returns:
        Tensor: ``(height, width, C)`` in [-1, 1].
    """
    octaves = torch.linspace(0, _OCTAVES, channels // 4)
    frequencies = _LOWEST_FREQUENCY * 8 / height * 2**octaves

    def waves(length: int) -> Tensor:
        phases = torch.arange(length)[:, None] * frequencies
        return torch.cat((phases.sin(), phases.cos()), dim=1)

    rows = waves(height)[:, None].expand(-1, width, -1)
    columns = waves(width)[None].expand(height, -1, -1)
    return torch.cat((rows, columns), dim=2)


@torch.no_grad()
def start_from_positions(backbone: Any, amplitude: float) -> None:
    """Let each token of a freshly drawn :class:`PartViT` attend to where it stands.

    Patch positions become sines and cosines, the position of [PART k] that of
    its row: [PART 1] the top one, [PART L] the bottom one, the others evenly
    between. There a global view and the local views of area k show the same
    part of the body: 0 to 0 at the top, 1 to 1 at the bottom, the middle to
    the middle. Keys start equal to queries, which makes attention follow
    similar positions.

    Args:
        backbone (PartViT): Changed in place.
        amplitude (float): Amplitude of the positions; about 2 outweighs what
            the patches show.
    """
    height, width = backbone.patch_resolution
    table = amplitude * sine_cosine_table(height, width, backbone.embed_dims)
    backbone.pos_embed.copy_(table.reshape(backbone.pos_embed.shape))
    steps = max(1, backbone.num_parts - 1)
    for part, position in enumerate(backbone.part_positions):
        row = table[round(part * (height - 1) / steps)]
        position.copy_(row.mean(0).view_as(position))
    for layer in backbone.layers:
        query, key, _ = layer.attn.qkv.weight.chunk(3)
        query.copy_(key)
