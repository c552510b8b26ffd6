"""Pictures of queries and what was found for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from passreid.search import Match
from passreid.visualization import RankedItem, RankedQuery, draw_rank_list, write_png


def draw_matches(
    queries: Sequence[str | np.ndarray],
    matches: Sequence[Sequence[Match]],
    out_dir: str | Path,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> list[Path]:
    """Draw what was found for each query.

    Args:
        queries (Sequence[str | np.ndarray]): Paths, or images ``(H, W, 3)`` uint8 in BGR.
        matches (Sequence[Sequence[Match]]): What was found, most similar first.
        out_dir (str | Path): Where to; made when missing.
        arrays (Mapping[str, np.ndarray], optional): Images of the gallery that are no files, by the
            path of their record. Defaults to None.

    Returns:
        list[Path]: A PNG file for each query: named as its file, an image by its place among the
        queries, with a number behind the name where two are called the same.
    """
    arrays = arrays or {}
    written: list[Path] = []
    for place, (query, found) in enumerate(zip(queries, matches, strict=True)):
        items = [
            RankedItem(
                match.record.path,
                None,
                match.record.cam_id,
                similarity=match.similarity,
                time=match.record.time,
                image=_rgb(arrays.get(match.record.path)),
            )
            for match in found
        ]
        if isinstance(query, np.ndarray):
            row = RankedQuery(f'query {place}', None, -1, None, items, image=_rgb(query))
        else:
            row = RankedQuery(query, None, -1, None, items)
        path = _unused(Path(out_dir) / f'{Path(row.img_path).stem}.png', written)
        write_png(draw_rank_list([row]), path)
        written.append(path)
    return written


def _rgb(image: np.ndarray | None) -> np.ndarray | None:
    return None if image is None else image[..., ::-1]


def _unused(path: Path, taken: Sequence[Path]) -> Path:
    number, free = 1, path
    while free in taken:
        number += 1
        free = path.with_stem(f'{path.stem}-{number}')
    return free
