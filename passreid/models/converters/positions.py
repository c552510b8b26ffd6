"""The grid of a position table, which a file of weights seldom tells."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isqrt, prod
from typing import Any

import torch
from torch import Tensor

from ..layers import Grid

GRID_KEY = 'pos_embed_grid'
# Images of plain ViTs, and proportions of person crops, 256x128 to 256x64.
_SQUARE_SIZES = (224, 336, 384, 448, 518)
_PERSON_RATIOS = tuple(map(Fraction, ('2', '9/4', '5/2', '8/3', '3', '4')))


def stated_grid(checkpoint: Mapping[str, Any]) -> Grid | None:
    """Return the grid (h, w) of the positions when a file tells it.

    ``meta`` has ``pos_embed_grid``, or the weights have it where torch keeps the versions of
    modules (:class:`PartViT` puts it there).
    """
    versions = getattr(checkpoint.get('state_dict', checkpoint), '_metadata', {})
    for owner in (checkpoint.get('meta'), *versions.values()):
        if isinstance(owner, Mapping) and GRID_KEY in owner:
            height, width = owner[GRID_KEY]
            return int(height), int(width)
    return None


def split_positions(
    weights: dict[str, Tensor], told: Iterable[tuple[Grid, str]] = (), own: Grid | None = None
) -> tuple[Grid, str] | None:
    """Find the grid of a position table, and split off the row of [CLS], in place.

    The grid is the first that is ``told`` (with who tells it) and fits, else the only plausible
    one; that of the model, ``own``, is plausible too. Without a row for [CLS] (``no_embed_class``
    of timm) its position becomes 0; rows for registers are added to them; weights that have
    ``cls_position`` keep all rows. Returns the grid (h, w) and how it is known, None when there are
    no positions; a grid that is not clear is a ValueError.
    """
    table, told = weights.get('pos_embed'), list(told)
    if table is None:
        return None
    total, patch_size = table.shape[1], _patch_size(weights)
    counts: tuple[int, ...] = (0,) if 'cls_position' in weights else (1, 0)
    registers = weights.get('register_tokens')
    if registers is not None and len(counts) > 1:
        counts = (*counts, 1 + registers.shape[1])
    fitting = [one for one in told if total - prod(one[0]) in counts]
    if told and not fitting:
        raise ValueError(
            f'A position table with {total} rows does not fit the grid '
            f'{" or ".join(str(tuple(grid)) for grid, _ in told)} that the file or pos_embed_grid '
            'tells'
        )
    if fitting:
        grid, how = fitting[0]
    else:
        found = _candidates(total, counts, patch_size, own)
        if len(found if own else {rows for rows, _ in found}) != 1:
            grids = (f'{h}x{w} (of {h * patch_size}x{w * patch_size})' for _, (h, w) in found)
            raise ValueError(
                f'The grid of a position table with {total} rows is not clear: '
                f'{" or ".join(grids) or "no usual one fits"}. Tell it by pos_embed_grid=(h, w) of '
                'the backbone'
            )
        grid, how = found[0][1], 'the only plausible one'
    if 'cls_position' not in weights:
        rows = total - prod(grid)
        weights['pos_embed'] = table[:, rows:]
        weights['cls_position'] = table[:, :1] if rows else torch.zeros_like(table[:, :1])
        if registers is not None and rows > 1:
            weights['register_tokens'] = registers + table[:, 1:rows]
    return grid, how


def plausible_grids(num_positions: int, patch_size: int = 16) -> list[Grid]:
    """Return the grids (h, w) of squares and person crops that a table without [CLS] may have.

    A square of a size that plain ViTs are trained on, such as 224 pixels, is the only one.
    """
    side = isqrt(num_positions)
    grids = [(side, side)] if side * side == num_positions else []
    if grids and _is_usual(grids[0], patch_size):
        return grids
    for ratio in _PERSON_RATIOS:
        width = isqrt(int(num_positions / ratio))
        height = ratio * width
        whole = height.denominator == 1 and height * width == num_positions
        if whole and _is_crop(int(height), width, patch_size):
            grids.append((int(height), width))
    return grids


def _is_crop(height: int, width: int, patch_size: int) -> bool:
    """Whether people crop persons in this size; any size is usual that is 2:1."""
    size = height * patch_size, width * patch_size
    whole = size[0] % 16 == size[1] % 16 == 0
    return height == 2 * width or (whole and size[0] <= 384 and size[1] >= 48)


def _is_usual(grid: Grid, patch_size: int) -> bool:
    return grid[0] == grid[1] and grid[0] * patch_size in _SQUARE_SIZES


def _candidates(
    total: int, counts: tuple[int, ...], patch_size: int, own: Grid | None
) -> list[tuple[int, Grid]]:
    """Return numbers of rows in front of the patches, each with a grid of the patches."""
    found = []
    for rows in counts:
        grids = plausible_grids(total - rows, patch_size)
        if own is not None and prod(own) == total - rows and own not in grids:
            grids.append(own)
        # A table without a row for [CLS], which is rare without registers, may be one with: 49 rows
        # are 7x7, or 12x4 and [CLS].
        rare = rows == 0 and len(counts) == 2
        found += [
            (rows, g) for g in grids if not (rare and g[0] == g[1] and not _is_usual(g, patch_size))
        ]
    return [one for one in found if _is_usual(one[1], patch_size)] or found


def _patch_size(weights: Mapping[str, Tensor]) -> int:
    """Return the height of a patch in pixels, 16 when the weights do not tell."""
    kernel = weights.get('patch_embed.projection.weight')
    if kernel is None:
        return 16
    # The convolutional stem halves the image before.
    stem = any(name.startswith('patch_embed.stem.') for name in weights)
    return kernel.shape[2] * (2 if stem else 1)
