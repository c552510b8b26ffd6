"""Tables of position embeddings on rectangular grids."""

from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor
from torch.nn import functional as F

Grid = tuple[int, int]


def resize_table(
    table: Tensor, source: Grid, target: Grid, mode: str = 'bicubic', offset: float = 0.0
) -> Tensor:
    """Resize a position table to another grid.

    With an offset the sampling grid is that of DINO: the scale factors are
    ``(target + offset) / source`` and the table is resampled even when the
    grids are equal. Without, it is a plain resize and the identity for equal
    grids.

    Args:
        table (Tensor): Patch positions ``(1, h * w, C)``.
        source (tuple[int, int]): Grid (h, w) of ``table``.
        target (tuple[int, int]): Wanted grid (h, w).
        mode (str): ``'bicubic'`` or ``'bilinear'``.
        offset (float): Added to the target sizes in the scale factors.

    Returns:
        Tensor: ``(1, target_h * target_w, C)``.
    """
    if not offset:
        return resize_pos_embed(table, source, target, mode, num_extra_tokens=0)
    image = table.reshape(1, *source, -1).permute(0, 3, 1, 2)
    scale = tuple((t + offset) / s for t, s in zip(target, source, strict=True))
    # The factors themselves, not the ratio of the sizes, set the sampling grid.
    image = F.interpolate(image, scale_factor=scale, mode=mode, align_corners=False)
    return image.permute(0, 2, 3, 1).reshape(1, -1, table.shape[-1])
