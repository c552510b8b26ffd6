"""The grid of a position table, which a file of weights seldom tells."""

import ast
from collections.abc import Mapping
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
    """Return the grid of the positions as a file tells it.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file: ``meta`` has ``pos_embed_grid``, the
            weights have it where torch keeps the versions of modules (:class:`PartViT` puts it
            there), or ``meta`` has ``cfg``, the text of the config that mmengine puts into each
            checkpoint. It is parsed, not run.

    Returns:
        tuple[int, int] | None: (h, w); None when the file does not tell.
    """
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    versions = getattr(checkpoint.get('state_dict', checkpoint), '_metadata', {})
    for owner in (meta, *(versions.values() if isinstance(versions, Mapping) else ())):
        grid = owner.get(GRID_KEY) if isinstance(owner, Mapping) else None
        if isinstance(grid, list | tuple) and len(grid) == 2:
            return int(grid[0]), int(grid[1])
    text = meta.get('cfg')
    return _grid_of_config(text) if isinstance(text, str) else None


def resolve_positions(
    weights: dict[str, Tensor], model: Any, stated: Grid | None = None
) -> tuple[Grid, str] | None:
    """Find the grid of a position table, and split off the row of [CLS], in place.

    The grid is the one that the file tells, else ``pos_embed_grid`` of the model, else the only
    plausible one; that of the model is plausible too. Without a row for [CLS]
    (``no_embed_class`` of timm) its position becomes 0. Weights that have ``cls_position`` already
    keep all rows.

    Args:
        weights (dict[str, Tensor]): Of one ViT, under our names. Changed.
        model (PartViT): The model.
        stated (tuple[int, int], optional): What :func:`stated_grid` says.

    Returns:
        tuple[tuple[int, int], str] | None: Grid (h, w) and how it is known; None when there are no
        positions.

    Raises:
        ValueError: If what is told contradicts the table, it is none, or not one grid is plausible.
    """
    table = weights.get('pos_embed')
    if table is None:
        return None
    _check_table(table)
    total = table.shape[1]
    counts = (0,) if 'cls_position' in weights else (1, 0)
    grid, how = _find_grid(total, counts, _patch_size(weights), stated, model)
    if 'cls_position' not in weights:
        _split(weights, total - prod(grid))
    return grid, how


def split_positions(weights: dict[str, Tensor], grid: Grid | None = None) -> None:
    """Split off the row of [CLS] as :func:`resolve_positions` does, with no model to fit to.

    Args:
        weights (dict[str, Tensor]): Of one ViT, under our names. Changed.
        grid (tuple[int, int], optional): Of the positions, when it is known.

    Raises:
        ValueError: If it is not clear whether there is such a row.
    """
    table = weights.get('pos_embed')
    if table is None or 'cls_position' in weights:
        return
    _check_table(table)
    total, patch = table.shape[1], _patch_size(weights)
    if grid is None:
        found = _candidates(total, (1, 0), patch)
        if len({rows for rows, _ in found}) != 1:
            raise _unclear(total, found, patch)
        _split(weights, found[0][0])
    elif total - prod(grid) in (0, 1):
        _split(weights, total - prod(grid))
    else:
        raise _contradiction(total, [grid])


def plausible_grids(num_positions: int, patch_size: int = 16) -> list[Grid]:
    """Return the grids that a table of patch positions may have.

    Args:
        num_positions (int): Rows of the table, without that of [CLS].
        patch_size (int): In pixels. Defaults to 16.

    Returns:
        list[tuple[int, int]]: (h, w): of squares and of person crops. A square of a size that plain
        ViTs are trained on, such as 224 pixels, is the only one.
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


def _find_grid(
    total: int, counts: tuple[int, ...], patch_size: int, stated: Grid | None, model: Any
) -> tuple[Grid, str]:
    told = [
        (grid, how)
        for grid, how in (
            (stated, 'as the file says'),
            (model.pos_embed_grid, 'as pos_embed_grid says'),
        )
        if grid is not None
    ]
    for grid, how in told:
        if total - prod(grid) in counts:
            return grid, how
    if told:
        raise _contradiction(total, [grid for grid, _ in told])
    found = _candidates(total, counts, patch_size, tuple(model.patch_resolution))
    if len(found) == 1:
        return found[0][1], 'the only plausible one'
    raise _unclear(total, found, patch_size)


def _candidates(
    total: int, counts: tuple[int, ...], patch_size: int, own: Grid | None = None
) -> list[tuple[int, Grid]]:
    """Return numbers of rows in front of the patches, each with a grid of the patches."""
    found = []
    for rows in counts:
        grids = plausible_grids(total - rows, patch_size)
        if own is not None and prod(own) == total - rows and own not in grids:
            grids.append(own)
        # A table without a row for [CLS], which is rare, may be one with: 49 rows are 7x7, or 12x4
        # and [CLS].
        rare = rows == 0 and len(counts) > 1
        found += [
            (rows, g) for g in grids if not (rare and g[0] == g[1] and not _is_usual(g, patch_size))
        ]
    usual = [one for one in found if _is_usual(one[1], patch_size)]
    return usual or found


def _is_usual(grid: Grid, patch_size: int) -> bool:
    return grid[0] == grid[1] and grid[0] * patch_size in _SQUARE_SIZES


def _unclear(total: int, found: list[tuple[int, Grid]], patch_size: int) -> ValueError:
    grids = (f'{h}x{w} (of {h * patch_size}x{w * patch_size})' for _, (h, w) in found)
    return ValueError(
        f'The grid of a position table with {total} rows is not clear: '
        f'{" or ".join(grids) or "no usual one fits"}. Tell it by pos_embed_grid=(h, w) of the '
        'backbone'
    )


def _contradiction(total: int, grids: list[Grid]) -> ValueError:
    return ValueError(
        f'A position table with {total} rows does not fit the grid '
        f'{" or ".join(map(str, map(tuple, grids)))} that the file or pos_embed_grid tells'
    )


def _check_table(table: Tensor) -> None:
    if table.ndim != 3 or table.shape[0] != 1 or not table.shape[1]:
        raise ValueError(
            f'pos_embed has the shape {tuple(table.shape)}; a table of positions has (1, rows, C)'
        )


def _split(weights: dict[str, Tensor], rows: int) -> None:
    """Take the position of [CLS] out of the table; without a row for it, it is 0."""
    table = weights['pos_embed']
    weights['pos_embed'] = table[:, rows:]
    weights['cls_position'] = table[:, :1] if rows else torch.zeros_like(table[:, :1])


def _patch_size(weights: Mapping[str, Tensor]) -> int:
    """Return the height of a patch in pixels, 16 when the weights do not tell."""
    kernel = weights.get('patch_embed.projection.weight')
    if kernel is None or kernel.ndim != 4:
        return 16
    # The convolutional stem halves the image before.
    stem = any(name.startswith('patch_embed.stem.') for name in weights)
    return kernel.shape[2] * (2 if stem else 1)


def _grid_of_config(text: str) -> Grid | None:
    """Return the grid of the backbone in the text of a config."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'model':
            model = _value(node.value)
            backbone = model.get('backbone') if isinstance(model, dict) else None
            if not isinstance(backbone, dict) or 'patch_cfg' in backbone:
                return None
            default = (256, 128) if 'PartViT' in str(backbone.get('type')) else 224
            size, patch = backbone.get('img_size', default), backbone.get('patch_size', 16)
            size = size if isinstance(size, list | tuple) else (size, size)
            if isinstance(patch, int) and patch and all(isinstance(one, int) for one in size):
                return size[0] // patch, size[1] // patch
    return None


def _value(node: ast.AST) -> Any:
    """Return what ``dict(...)``, or a literal, says."""
    if isinstance(node, ast.Call):
        return {one.arg: _value(one.value) for one in node.keywords}
    try:
        return ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        return {}
