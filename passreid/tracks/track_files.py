"""Tracks as files of MOTChallenge: ``frame,id,left,top,width,height`` and what follows."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

_COLUMNS = ('frame', 'id', 'left', 'top', 'width', 'height')


class Tracks(NamedTuple):
    """The boxes of one camera, in the order of the file.

    Attributes:
        frames: ``(N,)`` int64, from 1.
        ids: ``(N,)`` int64, those of this camera.
        boxes: ``(N, 4)`` float64, ``x1, y1, x2, y2`` in pixels.
        rows: The values of each line as they were written.
    """

    frames: np.ndarray
    ids: np.ndarray
    boxes: np.ndarray
    rows: list[list[str]]


def read_tracks(path: str | Path) -> Tracks:
    """Read a file of tracks.

    Raises:
        ValueError: When a line lacks a column or holds no number, a frame or an id is no whole
            number from 0, a box has no size, or an id has two boxes in a frame; names file and
            line.
    """
    # Spreadsheets put a mark before the first line.
    with open(path, newline='', encoding='utf-8-sig') as stream:
        try:
            lines = {n: row for n, row in enumerate(csv.reader(stream), 1) if row}
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f'{path} is no text of tracks: {error}') from error
    values: list[list[float]] = []
    seen: dict[tuple[float, float], int] = {}
    for number, row in lines.items():
        where = f'{path}, line {number}'
        if len(row) < len(_COLUMNS):
            raise ValueError(f'{where} has {len(row)} values; expected are {",".join(_COLUMNS)}')
        try:
            line = [float(value) for value in row[: len(_COLUMNS)]]
        except ValueError as error:
            raise ValueError(f'{where}: {error}; expected are {",".join(_COLUMNS)}') from error
        if not all(value >= 0 and value.is_integer() for value in line[:2]):
            raise ValueError(f'{where}: {row[0]}, {row[1]} are no frame and id of a track')
        if not np.isfinite(line).all() or line[4] <= 0 or line[5] <= 0:
            raise ValueError(f'{where}: the box has no size: {",".join(row)}')
        if (first := seen.setdefault((line[0], line[1]), number)) != number:
            raise ValueError(
                f'{where}: id {row[1]} has a box in frame {row[0]} in line {first} too'
            )
        values.append(line)
    if not values:
        raise ValueError(f'{path} holds no tracks')
    table = np.array(values)
    boxes = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    return Tracks(table[:, 0].astype(int), table[:, 1].astype(int), boxes, list(lines.values()))


def write_tracks(path: str | Path, tracks: Tracks, ids: np.ndarray) -> None:
    """Write the lines of a file again with other ids ``(N,)``, and nothing else changed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='') as stream:
        rows = zip(tracks.rows, ids.tolist(), strict=True)
        csv.writer(stream, lineterminator='\n').writerows([r[0], i, *r[2:]] for r, i in rows)
