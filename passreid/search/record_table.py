"""The records of a gallery in columns."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .column_checks import check_columns
from .field_column import FieldColumn
from .gallery_record import GalleryRecord, SearchFilter
from .growing_array import GrowingArray
from .text_column import TextColumn


class RecordTable:
    """Records in rows, of which some are deleted.

    Args:
        records (Sequence[GalleryRecord]): The first rows. Defaults to none.
    """

    def __init__(self, records: Sequence[GalleryRecord] = ()) -> None:
        self._paths = TextColumn.of(record.path for record in records)
        self._stamps = TextColumn.of(record.stamp for record in records)
        self._cam_ids = GrowingArray(np.array([record.cam_id for record in records], np.int64))
        # None becomes NaN, which fulfils no comparison.
        self._times = GrowingArray(np.array([record.time for record in records], np.float64))
        self._alive = GrowingArray(np.ones(len(records), bool))
        self._fields: dict[str, FieldColumn] = {}
        for name in dict.fromkeys(name for record in records for name in record.fields):
            self._fields[name] = FieldColumn.of(record.fields.get(name) for record in records)
        self._rows: dict[str, int] | None = None

    def __len__(self) -> int:
        """Number of rows, deleted ones included."""
        return len(self._alive)

    @property
    def alive(self) -> np.ndarray:
        """``(N,)`` bool, False for rows that are deleted."""
        return self._alive.rows

    def extend(self, other: 'RecordTable') -> None:
        """Add the rows of another table behind the last."""
        start, end = len(self), len(self) + len(other)
        for name in dict.fromkeys([*self._fields, *other._fields]):
            added = other._fields.get(name) or FieldColumn.of([None] * len(other))
            if start:
                self._fields.setdefault(name, FieldColumn.of([None] * start)).extend(added)
            else:
                self._fields[name] = added
        if self._rows is not None:
            self._rows.update(zip(other._paths, range(start, end), strict=True))
        self._paths.extend(other._paths)
        self._stamps.extend(other._stamps)
        self._cam_ids.extend(other._cam_ids.rows)
        self._times.extend(other._times.rows)
        self._alive.extend(other._alive.rows)

    def find(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the rows of those paths that are there."""
        paths = list(paths)
        if paths and self._rows is None:
            rows = enumerate(self._paths)
            self._rows = {path: row for row, path in rows if self.alive[row]}
        known = self._rows or {}
        return {path: known[path] for path in paths if path in known}

    def delete(self, paths: Iterable[str]) -> int:
        """Delete the rows of paths; return how many there were."""
        found = self.find(paths)
        self.alive[list(found.values())] = False
        for path in found:
            assert self._rows is not None
            del self._rows[path]
        return len(found)

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each path."""
        rows = zip(self._paths, self._stamps, self.alive.tolist(), strict=True)
        return {path: stamp for path, stamp, alive in rows if alive}

    def record(self, row: int) -> GalleryRecord:
        """Return the record of a row."""
        time = float(self._times.rows[row])
        values = {name: column[row] for name, column in self._fields.items()}
        return GalleryRecord(
            self._paths[row],
            int(self._cam_ids.rows[row]),
            None if np.isnan(time) else time,
            {name: value for name, value in values.items() if value is not None},
            self._stamps[row],
        )

    def allowed(self, where: SearchFilter) -> np.ndarray:
        """Return which rows may be found; ``not_paths`` is not looked at.

        Args:
            where (SearchFilter): The conditions.

        Returns:
            np.ndarray: ``(N,)`` bool; False for deleted rows.
        """
        mask = self.alive.copy()
        cam_ids, times = self._cam_ids.rows, self._times.rows
        if where.cameras is not None:
            mask &= np.isin(cam_ids, _known(where.cameras))
        if where.not_cameras:
            mask &= ~np.isin(cam_ids, _known(where.not_cameras))
        if where.since is not None:
            mask &= times >= where.since
        if where.until is not None:
            mask &= times <= where.until
        for name, value in where.fields.items():
            column = self._fields.get(name)
            mask &= column.equal(value) if column else False
        return mask

    def take(self, rows: np.ndarray) -> 'RecordTable':
        """Return a table of some rows.

        Args:
            rows (np.ndarray): Their places, of rows that are not deleted.
        """
        table = RecordTable()
        table._paths, table._stamps = self._paths.take(rows), self._stamps.take(rows)
        table._cam_ids = GrowingArray(self._cam_ids.rows[rows])
        table._times = GrowingArray(self._times.rows[rows])
        table._alive = GrowingArray(self.alive[rows])
        columns = {name: column.take(rows) for name, column in self._fields.items()}
        table._fields = {name: column for name, column in columns.items() if column.values}
        return table

    def save(self, path: Path) -> None:
        """Write the table, of which no row is deleted, to an ``.npz`` file without pickles."""
        names = sorted(self._fields)
        values = {name: self._fields[name].values for name in names}
        np.savez(
            path,
            paths=self._paths.arrays[0],
            path_ends=self._paths.arrays[1],
            stamps=self._stamps.arrays[0],
            stamp_ends=self._stamps.arrays[1],
            cam_ids=self._cam_ids.rows,
            times=self._times.rows,
            codes=np.array([self._fields[name].codes for name in names], np.int32),
            values=np.frombuffer(json.dumps(values).encode(), np.uint8),
        )

    @classmethod
    def load(cls, path: Path) -> 'RecordTable':
        """Read what :meth:`save` wrote, whoever wrote it.

        Args:
            path (Path): The file.

        Raises:
            Exception: Of any type, when it holds anything else.
        """
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
        values = json.loads(data['values'].tobytes())
        check_columns(data, values)
        table = cls()
        table._paths = TextColumn(data['paths'], data['path_ends'])
        table._stamps = TextColumn(data['stamps'], data['stamp_ends'])
        table._cam_ids = GrowingArray(data['cam_ids'])
        table._times = GrowingArray(data['times'])
        table._alive = GrowingArray(np.ones(len(data['cam_ids']), bool))
        columns = zip(values.items(), data['codes'], strict=True)
        table._fields = {name: FieldColumn(known, codes) for (name, known), codes in columns}
        return table


def _known(cameras: Iterable[int]) -> list[int]:
    """Leave out the number that stands for an unknown camera."""
    return [camera for camera in cameras if camera != -1]
