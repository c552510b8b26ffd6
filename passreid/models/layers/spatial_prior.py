"""Start of a part-aware ViT in which tokens attend to where they stand."""

from typing import Any

import torch
from torch import Tensor

# Wave lengths in rows or columns of an 8 x 4 grid go from 18 to 1.5 patches.
_LOWEST_FREQUENCY, _OCTAVES = 0.35, 3.6


def sine_cosine_table(height: int, width: int, channels: int) -> Tensor:
    """Positions ``(height, width, channels)`` as sines and cosines of row (first half) and column.

    The frequencies are relative to the height of the grid, so that finer patches keep the same
    positions; ``channels`` is a multiple of 4.
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

    Patch positions become sines and cosines of an amplitude (about 2 outweighs what the patches
    show), the position of [PART k] that of its row: [PART 1] the top one, [PART L] the bottom one,
    the others evenly between. There a global view and the local views of area k show the same part
    of the body. Keys start equal to queries, which makes attention follow similar positions.
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
