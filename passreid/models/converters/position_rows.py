"""Position tables whose first rows do not belong to patches."""

from collections.abc import Collection
from math import prod

import torch
from torch import Tensor

from ..layers.position_table import Grid, infer_grid


def split_positions(
    weights: dict[str, Tensor], grid: Grid | None = None, target: Grid | None = None
) -> bool:
    """Split the position table of a plain ViT into [CLS] and patches, in place.

    A table may begin with rows for [CLS], for DeiT's distillation token and for timm's registers.
    How many there are is read from the number of rows: what is left has to be the grid that is
    known, or square, or 2:1, tried in this order and with the most rows first. Without a row for
    [CLS] (``no_embed_class`` of timm) its position is 0. Weights that have ``cls_position`` already
    stay as they are.

    Args:
        weights (dict[str, Tensor]): Of one ViT, under our names. Changed.
        grid (tuple[int, int], optional): Grid (h, w) of the table, when known.
        target (tuple[int, int], optional): Grid of the model, the likeliest one of the table.

    Returns:
        bool: Whether the file had no position for [CLS].

    Raises:
        ValueError: If ``grid`` contradicts the table, or it is none.
    """
    table = weights.get('pos_embed')
    if table is None or 'cls_position' in weights:
        return False
    check_table(table)
    distillation = int('dist_token' in weights)
    registers = weights['reg_token'].shape[1] if 'reg_token' in weights else 0
    counts = sorted({1 + distillation + registers, 1 + distillation, 1, 0}, reverse=True)
    rows = _number_of_rows(table.shape[1], counts, grid, target)
    weights['pos_embed'] = table[:, rows:]
    weights['cls_position'] = table[:, :1] if rows else torch.zeros_like(table[:, :1])
    return not rows


def check_table(table: Tensor) -> None:
    """Make sure that positions are a table.

    Args:
        table (Tensor): ``(1, L, C)``.

    Raises:
        ValueError: When the shape is another.
    """
    if table.ndim != 3 or table.shape[0] != 1 or not table.shape[1]:
        raise ValueError(
            f'pos_embed has the shape {tuple(table.shape)}; a table of positions has (1, rows, C)'
        )


def _number_of_rows(
    total: int, counts: Collection[int], grid: Grid | None, target: Grid | None
) -> int:
    """Return how many rows in front of the patches there are."""
    for known in (grid, target):
        if known is not None and total - prod(known) in counts:
            return total - prod(known)
    if grid is not None:
        raise ValueError(
            f'A position table with {total} rows does not fit the grid {tuple(grid)} that '
            'pos_embed_grid tells'
        )
    for count in counts:
        try:
            infer_grid(total - count)
        except ValueError:
            continue
        return count
    return max(counts)
