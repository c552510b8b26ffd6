"""Galleries on this machine: a file of features beside a table of records."""

import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from passreid.utils.device import array_device

from .gallery import Gallery, GalleryRecord, Match, SearchFilter

_RECORDS, _FEATURES = 'records.sqlite', 'features.f32'
# The row of an image is the place of its feature in the file. Rows of deleted images are used
# again; until their feature is zeroed they have no stamp.
_SCHEMA = (
    'create table gallery (dim integer, model text)',
    'create table images (row integer primary key, path blob unique, cam_id integer, time real, '
    'fields text, stamp text)',
)
# Seconds to wait for another process that writes.
_TIMEOUT = 10.0
# Of the products of queries and images that exist at a time (64 MiB), and of the filters of which
# it is remembered what they leave out.
_PRODUCTS, _MASKS = 2**24, 64
# More than float32 products of features of length 1 are wrong by, and less than any cosine.
_MARGIN, _LEAST = 1e-5, -2.0
_JSON_TYPES = {bool: "'true', 'false'", str: "'text'"}


class LocalStore(Gallery):
    """A gallery in a folder or in memory that compares every image: exact.

    Features are memory-mapped, records in a table of SQLite, so opening reads next to nothing. Each
    change is one transaction: a process that dies leaves the gallery as it was before or after. One
    process at a time writes; others search meanwhile and see each change.

    Args:
        dim (int, optional): Length D of a feature. Defaults to that of the folder.
        model (str, optional): Fingerprint of the model. Defaults to that of the folder.
        folder (str | Path, optional): Where the gallery is kept. Defaults to None: it is gone when
            it is closed.
        device (str | torch.device, optional): Where features are compared. Defaults to None: the
            accelerator where there is one, which then holds all features.

    Raises:
        ValueError: When the folder is no gallery, or is damaged.
    """

    def __init__(
        self,
        dim: int | None = None,
        model: str | None = None,
        folder: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self.device = torch.device(device or array_device())
        self.where = 'memory' if folder is None else os.fsdecode(folder)
        self._scratch = None
        if folder is None:
            self._scratch = tempfile.TemporaryDirectory()
            folder = self._scratch.name
        records, self._file = Path(folder) / _RECORDS, Path(folder) / _FEATURES
        is_new = not records.exists() or not records.stat().st_size
        if is_new and (names := {*Path(folder).glob('*')} - {records, self._file}):
            raise ValueError(f'{folder} is no gallery: it holds {names.pop().name}')
        if is_new:
            super().__init__(self.where, None, dim, model)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch()
        self._lock, self._changes = threading.RLock(), 0
        self._held: tuple = (None,)
        self._table = sqlite3.connect(
            records, _TIMEOUT, isolation_level=None, check_same_thread=False
        )
        with self._transaction('immediate' if is_new else 'deferred'):
            # What is deleted is overwritten.
            self._table.execute('pragma secure_delete = on')
            if is_new:
                for statement in _SCHEMA:
                    self._table.execute(statement)
                self._table.execute('insert into gallery values (?, ?)', (dim, model))
            kept = self._table.execute('select dim, model from gallery').fetchone()
            super().__init__(self.where, kept, dim, model)
            self._map()

    def __len__(self) -> int:
        return self._number('select count(path) from images')

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""
        with self._transaction():
            rows = self._table.execute('select path, stamp from images where path not null')
            return {os.fsdecode(path): stamp for path, stamp in rows}

    def delete(self, paths: Iterable[str]) -> int:
        """Take images out, and their features off the disk; return how many were there."""
        with self._transaction('immediate'):
            number = len(self._free(self._rows(paths)))
        self._wipe()
        return number

    def read(self) -> tuple[np.ndarray, list[GalleryRecord]]:
        """Return all features ``(N, D)`` of unit length, and their records."""
        with self._transaction():
            features, *_ = self._map()
            select = 'select row from images where path not null order by row'
            rows = np.array([row for (row,) in self._table.execute(select)], np.int64)
            records = self._records(rows)
            return np.asarray(features[rows]), [records[row] for row in rows.tolist()]

    def close(self) -> None:
        """Let go of the files."""
        self._table.close()
        if self._scratch:
            self._scratch.cleanup()

    def _write(self, unit: np.ndarray, records: Sequence[GalleryRecord], replace: bool) -> None:
        with self._transaction('immediate'):
            known = self._rows(record.path for record in records)
            if known and not replace:
                raise self._already(next(iter(known)))
            select = 'select row from images where path is null order by row limit ?'
            rows = [row for (row,) in self._table.execute(select, (len(records),))]
            rows += range(self._end(), self._end() + len(records) - len(rows))
            # Only now: the old features stay until the new ones count.
            self._free(known)
            entries = []
            for row, r in zip(rows, records, strict=True):
                time = None if r.time is None else float(r.time)
                facts = int(r.cam_id), time, json.dumps(dict(r.fields)), r.stamp
                entries.append((row, os.fsencode(r.path), *facts))
            self._table.executemany('replace into images values (?, ?, ?, ?, ?, ?)', entries)
            self._put(rows, unit)
        if known:
            self._wipe()

    def _nearest(
        self, queries: np.ndarray, number: int, filters: Sequence[SearchFilter]
    ) -> list[list[Match]]:
        found: list[list[Match]] = []
        while len(found) < len(queries):
            with self._transaction():
                features, on_device, masks = self._map()
                chunk = slice(len(found), len(found) + max(1, _PRODUCTS // max(1, len(features))))
                scores = torch.from_numpy(queries[chunk]).to(self.device) @ on_device.T
                for condition, places in _grouped(filters[chunk]).items():
                    if condition not in masks:
                        masks[condition] = self._forbidden(condition, len(features))
                    if (mask := masks[condition]) is not None:
                        scores[places] = scores[places].masked_fill(mask, -torch.inf)
                last = scores.topk(min(number, len(features))).values[:, -1:]
                chosen = scores >= (last - _MARGIN).clamp(min=_LEAST)
                owners, rows = chosen.cpu().numpy().nonzero()
                records = self._records(np.unique(rows))
                ends = np.bincount(owners, minlength=len(scores)).cumsum()[:-1]
                for query, nearest in zip(queries[chunk], np.split(rows, ends), strict=True):
                    # A matrix product may differ in the last digits between rows that are equal.
                    products = (features[nearest].astype(np.float64) * query).sum(1)
                    similarities = products.astype(np.float32).clip(-1, 1).tolist()
                    pairs = zip(nearest.tolist(), similarities, strict=True)
                    found.append([Match(records[row], similarity) for row, similarity in pairs])
        return found

    def _map(self) -> tuple[np.ndarray, torch.Tensor, dict[tuple, torch.Tensor | None]]:
        """Return all features, memory-mapped and on the device, and masks that fit them."""
        state = self._changes, self._number('pragma data_version')
        if self._held[0] != state or len(self._held[-1]) > _MASKS:
            features = np.empty((self._end(), self.dim), np.float32)
            if self._file.stat().st_size < features.nbytes:
                raise ValueError(f'{self._file} is damaged: {features.shape} numbers are not in it')
            if len(features):
                # Torch wants memory that may be written to; what is written stays in this process.
                features = np.memmap(self._file, np.float32, 'c', shape=features.shape)
            self._held = state, features, torch.from_numpy(features).to(self.device), {}
        return self._held[1:]

    def _forbidden(self, condition: tuple, number: int) -> torch.Tensor | None:
        """Return which rows do not fulfil a condition, ``(number,)`` bool; None for none."""
        select = f'select group_concat(row) from images where ({condition[0]}) is not true'
        (rows,) = self._table.execute(select, condition[1:]).fetchone()
        mask = torch.zeros(number, dtype=torch.bool)
        mask[np.fromstring(rows or '', np.int64, sep=',')] = True
        return mask.to(self.device) if rows else None

    def _records(self, rows: np.ndarray) -> dict[int, GalleryRecord]:
        select = 'select * from images where row in (select value from json_each(?))'
        found = self._table.execute(select, (json.dumps(rows.tolist()),))
        return {
            row: GalleryRecord(os.fsdecode(path), cam_id, time, json.loads(fields), stamp)
            for row, path, cam_id, time, fields, stamp in found
        }

    def _rows(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the rows of those paths that are there."""
        select = 'select row from images where path = ?'
        found = {p: self._table.execute(select, (os.fsencode(p),)).fetchone() for p in paths}
        return {path: row[0] for path, row in found.items() if row}

    def _free(self, rows: dict[str, int]) -> dict[str, int]:
        update = 'update images set path = null, fields = null, stamp = null where row = ?'
        self._table.executemany(update, [(row,) for row in rows.values()])
        return rows

    def _wipe(self) -> None:
        """Zero the features of deleted images."""
        with self._transaction('immediate'):
            select = 'select row from images where stamp is null order by row'
            rows = [row for (row,) in self._table.execute(select)]
            self._put(rows, np.zeros((len(rows), self.dim), np.float32))
            self._table.execute("update images set stamp = '' where stamp is null")

    def _put(self, rows: Sequence[int], features: np.ndarray) -> None:
        """Write features to the disk, runs of consecutive rows at a time."""
        breaks = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        with self._file.open('r+b') as file:
            for start, end in zip(breaks, breaks[1:], strict=False):
                file.seek(4 * self.dim * rows[start] if rows else 0)
                file.write(features[start:end].data)
            file.flush()
            os.fsync(file.fileno())

    def _end(self) -> int:
        return self._number('select coalesce(max(row) + 1, 0) from images')

    def _number(self, query: str) -> int:
        return self._table.execute(query).fetchone()[0]

    @contextmanager
    def _transaction(self, kind: str = 'deferred') -> Iterator[None]:
        """Read one state of the gallery, or ('immediate') make another or leave it as it is."""
        with self._lock:
            try:
                self._table.execute(f'begin {kind}')
                yield
                self._changes += kind == 'immediate'
                self._table.execute('commit')
            except sqlite3.Error as error:
                is_passing = isinstance(error, sqlite3.OperationalError)
                raise (OSError if is_passing else ValueError)(
                    f'the gallery {self.where} cannot be used ({error}): another process changes '
                    'it, the disk is full, or it is damaged (delete it and index the images anew)'
                ) from error
            finally:
                if self._table.in_transaction:
                    self._table.execute('rollback')


def _grouped(filters: Sequence[SearchFilter]) -> dict[tuple, list[int]]:
    """Return the places of filters by their conditions, as an expression of SQL and its values."""
    groups: dict[tuple, list[int]] = {}
    for place, where in enumerate(filters):
        parts, values = ['path not null'], []
        for name, operator, value in where.conditions():
            if name == 'cam_id':
                parts.append(f'cam_id {operator} ({", ".join(map(str, value))})')
                continue
            values.append(value)
            if name == 'time':
                parts.append(f'time {operator} ?')
                continue
            # Without its type, true would be 1.
            types = _JSON_TYPES.get(type(value), "'integer', 'real'")
            parts.append(f"json_type(fields, '$.{name}') in ({types})")
            parts.append(f"json_extract(fields, '$.{name}') = ?")
        groups.setdefault((' and '.join(parts), *values), []).append(place)
    return groups
