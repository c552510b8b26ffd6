"""Galleries that this process holds itself."""

import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from .filter_groups import group_filters
from .gallery_checks import check_new, check_records, check_topk, spread_filters, unit_rows
from .gallery_folder import GalleryFolder, GalleryState
from .gallery_record import GalleryRecord, Match, SearchFilter
from .gallery_store import GalleryStore
from .growing_array import GrowingArray
from .record_table import RecordTable
from .stale_gallery import check_origin, no_gallery

_ROWS_PER_WRITE = 8192
# No feature has this length, and no product of two this value.
LARGEST = 1.01


class LocalStore(GalleryStore):
    """Features and records of a gallery, in memory or in a folder.

    In a folder, features are memory-mapped: opening reads the records alone. What is changed is
    held in memory until :meth:`flush`, and from the first change until then other processes
    cannot write. They see the change when they open the gallery anew, or change it themselves.
    Flushing what was added writes about as much as was added; where images were deleted or
    replaced it writes the whole gallery, without them.

    Args:
        dim (int, optional): Length D of a feature. Defaults to that of the folder.
        model (str, optional): Fingerprint of the model. Defaults to that of the folder.
        folder (str | Path, optional): Where the gallery is kept. Defaults to None: in memory.

    Raises:
        StaleGalleryError: When the folder has features of another model.
        ValueError: When it is no gallery, or is damaged.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.
    """

    def __init__(
        self,
        dim: int | None = None,
        model: str | None = None,
        folder: str | os.PathLike | None = None,
    ) -> None:
        self._folder = None if folder is None else GalleryFolder(folder)
        state = self._folder.read() if self._folder else None
        if state:
            dim, model = check_origin(self._where, (state.dim, state.model), (dim, model))
        elif dim is None or model is None:
            raise no_gallery(self._where)
        super().__init__(dim, model)
        self._is_changed = False
        self._state = state or GalleryState(dim, model)
        self._records = RecordTable()
        self._blocks: list[np.ndarray] = []
        self._tail = self._no_rows()
        self._load(self._state)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._records.alive))

    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""
        return self._records.stamps()

    def add(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Add images; see :meth:`GalleryStore.add`."""
        unit = self._check(features, records)
        with self._changing():
            check_new(list(self._records.find(record.path for record in records)))
            self._append(unit, records)

    def update(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Replace images, or add those that are not there; see :meth:`add`."""
        unit = self._check(features, records)
        with self._changing():
            self._records.delete(record.path for record in records)
            self._append(unit, records)

    def delete(self, paths: Iterable[str]) -> int:
        """Take images out; see :meth:`GalleryStore.delete`."""
        if not (paths := list(paths)):
            return 0
        with self._changing():
            number = self._records.delete(paths)
            self._forget_most()
            return number

    def search(
        self,
        features: np.ndarray,
        topk: int = 10,
        where: SearchFilter | Sequence[SearchFilter | None] | None = None,
        min_similarity: float | None = None,
    ) -> list[list[Match]]:
        """Find the images most like each query; see :meth:`GalleryStore.search`.

        Equal similarities are in the order in which images were added or replaced.
        """
        check_topk(topk)
        queries = unit_rows(features, self.dim)
        filters = spread_filters(where, len(queries))
        masks: list[np.ndarray | None] = [None] * len(filters)
        for group in group_filters(filters):
            allowed = self._records.allowed(filters[group[0]])
            mask = None if allowed.all() else allowed
            for place in group:
                masks[place] = mask
        excluded = [list(self._records.find(own.not_paths).values()) for own in filters]
        nearest = self._nearest(queries, topk, masks, excluded)
        return [
            self._matches(query, rows, topk, min_similarity)
            for query, rows in zip(queries, nearest, strict=True)
        ]

    def flush(self) -> None:
        """Write what was changed; in memory there is nothing to be done."""
        if not self._is_changed or not self._folder:
            return
        state, kept = self._state, self._records
        parts, blocks = list(state.parts), list(self._blocks)
        if kept.alive.all():
            # A part is joined with those before it that are no longer: few parts, little writing.
            start = sum(map(len, blocks))
            while blocks and len(blocks[-1]) <= len(kept) - start:
                start -= len(blocks.pop())
                parts.pop()
            rows = np.arange(start, len(kept))
            written = kept.take(rows)
        else:
            parts, blocks, rows = [], [], np.flatnonzero(kept.alive)
            written = kept = kept.take(rows)
            state = replace(state, layout=state.layout + 1)
        if len(rows):
            chunks = np.split(rows, range(_ROWS_PER_WRITE, len(rows), _ROWS_PER_WRITE))
            parts.append(self._folder.write_part(map(self._rows, chunks), self.dim, written))
            blocks.append(self._folder.open_features(parts[-1]))
        state = replace(state, parts=tuple(parts))
        self._folder.commit(state)
        self._state, self._records, self._blocks = state, kept, blocks
        self._tail = self._no_rows()
        self._is_changed = False
        self._folder.unlock()

    @abstractmethod
    def _nearest(
        self,
        queries: np.ndarray,
        topk: int,
        masks: Sequence[np.ndarray | None],
        excluded: Sequence[Sequence[int]],
    ) -> Iterator[np.ndarray]:
        """Find the rows that may be among the most similar.

        Args:
            queries (np.ndarray): ``(Q, D)`` float32, of length 1.
            topk (int): Images wanted for each.
            masks (Sequence[np.ndarray | None]): For each query the rows that may be found,
                ``(N,)`` bool; None for all. The same object where the filter is the same.
            excluded (Sequence[Sequence[int]]): Further rows that may not.

        Yields:
            np.ndarray: Rows of the next query, int64, in any order.
        """

    @property
    def _features(self) -> list[np.ndarray]:
        """All rows, in blocks; those of the last change."""
        return [*self._blocks, self._tail.rows]

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some rows."""
        blocks = self._features
        ends = np.cumsum([len(block) for block in blocks])
        owners = np.searchsorted(ends, rows, side='right')
        features = np.empty((len(rows), self.dim), np.float32)
        for number, block in enumerate(blocks):
            own = owners == number
            features[own] = block[rows[own] - (ends[number] - len(block))]
        return features

    def _matches(
        self, query: np.ndarray, rows: np.ndarray, topk: int, min_similarity: float | None
    ) -> list[Match]:
        """Rank rows by exact similarities, which depend on nothing but the two features."""
        rows = np.sort(rows)
        # A matrix product may differ in the last digits between rows that are equal.
        products = self._rows(rows).astype(np.float64) * query
        similarities = products.sum(1).astype(np.float32)
        if not (whole := np.abs(similarities) <= LARGEST).all():
            raise self._damaged(int(rows[np.argmin(whole)]))
        similarities = similarities.clip(-1, 1)
        best = np.argsort(-similarities, kind='stable')[:topk]
        return [
            Match(self._records.record(int(rows[place])), float(similarities[place]))
            for place in best
            if min_similarity is None or similarities[place] >= min_similarity
        ]

    def _check(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> np.ndarray:
        check_records(records, len(features))
        return unit_rows(features, self.dim, [record.path for record in records])

    def _append(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        self._records.extend(RecordTable(records))
        self._tail.extend(features)
        self._forget_most()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let no other process write, and start from what the last one wrote."""
        if self._is_changed or not self._folder:
            yield
            self._is_changed = True
            return
        self._folder.lock()
        try:
            state = self._folder.read()
            if state and state != self._state:
                self._load(state)
            yield
        except BaseException:
            self._folder.unlock()
            raise
        self._is_changed = True

    def _forget_most(self) -> None:
        """In memory, let go of deleted rows once they are most of all."""
        if self._folder or 2 * len(self) >= len(self._records):
            return
        rows = np.flatnonzero(self._records.alive)
        self._tail = GrowingArray(self._rows(rows))
        self._records = self._records.take(rows)
        self._state = replace(self._state, layout=self._state.layout + 1)

    def _load(self, state: GalleryState) -> None:
        """Take over the rows of a state, or of the one that has replaced it meanwhile."""
        records, blocks = RecordTable(), []
        for name in state.parts:
            assert self._folder is not None
            try:
                features, part = self._folder.open_part(name, self.dim)
            except FileNotFoundError as error:
                newer = self._folder.read()
                if newer is None or newer == state:
                    raise ValueError(f'{self._where} is damaged: it lacks {name}') from error
                return self._load(newer)
            blocks.append(features)
            records.extend(part)
        origin = (state.dim, state.model)
        check_origin(self._where, origin, (self.dim, self.model))
        self._state, self._records, self._blocks = state, records, blocks
        self._tail = self._no_rows()

    def _damaged(self, row: int) -> ValueError:
        """Return the error to raise for a feature that is not what was written."""
        return ValueError(
            f'{self._where} is damaged: the feature of {self._records.record(row).path!r} has not '
            f'the length 1. Delete {self._where} and index the images anew'
        )

    def _no_rows(self) -> GrowingArray:
        return GrowingArray(np.empty((0, self.dim), np.float32))

    @property
    def _where(self) -> str:
        return str(self._folder.path) if self._folder else 'memory'
