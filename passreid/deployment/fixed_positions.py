"""Position tables of one image size."""

import torch
from torch import nn

from passreid.models import PartViT
from passreid.models.layers import resize_table


@torch.no_grad()
def fix_positions(backbone: PartViT, image_size: tuple[int, int]) -> None:
    """Resize the position table of a backbone once and for all, in place.

    An exported graph then holds the table that images of this size see, and not the resizing,
    which pre-training does at its own size too (``interpolate_offset``).

    Args:
        backbone (PartViT): The backbone.
        image_size (tuple[int, int]): Size (h, w) of the images in pixels.
    """
    parameter = next(backbone.parameters())
    _, grid = backbone.patch_embed(parameter.new_zeros(1, 3, *image_size))
    table = resize_table(
        backbone.pos_embed,
        backbone.patch_resolution,
        grid,
        backbone.interpolate_mode,
        backbone.interpolate_offset,
    )
    backbone.pos_embed = nn.Parameter(table.clone(), requires_grad=False)
    backbone.patch_resolution = tuple(grid)
    backbone.interpolate_offset = 0.0
    backbone.img_size = image_size
