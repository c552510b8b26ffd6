"""Search in a gallery with an index of faiss."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .local_store import LARGEST
from .memory_store import MemoryStore

_FLAT = 'Flat'
# Graph nodes or lists that a search looks at, where faiss's own defaults find too little.
_NODES, _LISTS, _LIST_SHARE = 128, 8, 1 / 16
# Of so few images that a filter allows, all are compared: an index would miss most of them.
_FEW = 2000
# So many images to a centre are what faiss asks for to find the centres.
_TRAINING_ROWS, _CODE_CENTRES = 39, 256


class FaissStore(MemoryStore):
    """A gallery like :class:`MemoryStore` whose search is done by faiss.

    The default index is exact. Others are approximate: they look at a part of the images, so that
    some of the most similar may be missing; those that are found have exact similarities, in the
    right order. ``'HNSW32'`` is a graph, fast to search and slow to build, ``'IVF1024,Flat'``
    sorts the images into 1024 lists, and ``'IVF1024,PQ64'`` also shortens the features that are
    looked at. Where a filter allows few images, all of these are compared. Until there are 39
    images to a list, search with lists is exact.

    The index is brought up to date by the first search after a change, and by :meth:`close`, which
    keeps it in the folder beside the features; deleting and replacing images makes it anew.

    Args:
        dim (int, optional): Length D of a feature. Defaults to that of the folder.
        model (str, optional): Fingerprint of the model. Defaults to that of the folder.
        folder (str | Path, optional): Where the gallery is kept; that of a :class:`MemoryStore`
            will do too. Defaults to None: in memory.
        index (str, optional): A string of ``faiss.index_factory``. Defaults to that of the folder,
            else 'Flat'.
        effort (int, optional): Nodes (``efSearch``) or lists (``nprobe``) that a search looks
            at; more when a filter leaves images out. Defaults to 128 nodes, or a sixteenth of the
            lists, but 8.

    Raises:
        ImportError: When faiss is not installed.
        StaleGalleryError: When the folder has features of another model.
        ValueError: When it is no gallery, or is damaged, or the index is of another kind.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.
    """

    def __init__(
        self,
        dim: int | None = None,
        model: str | None = None,
        folder: str | os.PathLike | None = None,
        index: str | None = None,
        effort: int | None = None,
    ) -> None:
        self._faiss = _import_faiss()
        super().__init__(dim, model, folder, device='cpu')
        self._kind = index or self._state.index or _FLAT
        if effort is not None and effort < 1:
            raise ValueError(f'effort is {effort}, but must be at least 1')
        self._effort = effort
        self._index = self._make()
        self._layout = self._state.layout
        self._num_kept = 0
        self._read_index()

    def flush(self) -> None:
        """Write what was changed, but not the index."""
        if self._is_changed:
            self._state = replace(self._state, index=self._kind)
        super().flush()

    def close(self) -> None:
        """Flush, and keep the index."""
        super().close()
        if not self._folder or not self._is_ready() or self._index.ntotal <= self._num_kept:
            return
        try:
            self._folder.lock()
        except TimeoutError:
            # Who changes the gallery now will need another index anyway.
            return
        try:
            if self._folder.read() == self._state:
                file = self._folder.index_file(replace(self._state, index=self._kind))
                unfinished = file.with_name(f'unfinished-{file.name}')
                self._faiss.write_index(self._index, str(unfinished))
                unfinished.replace(file)
                self._num_kept = self._index.ntotal
        finally:
            self._folder.unlock()

    def _nearest(
        self,
        queries: np.ndarray,
        topk: int,
        masks: Sequence[np.ndarray | None],
        excluded: Sequence[Sequence[int]],
    ) -> Iterator[np.ndarray]:
        if not self._is_ready():
            yield from super()._nearest(queries, topk, masks, excluded)
            return
        found: dict[int, np.ndarray] = {}
        for mask in {id(mask): mask for mask in masks}.values():
            own = [place for place, other in enumerate(masks) if other is mask]
            number = self._index.ntotal if mask is None else int(np.count_nonzero(mask))
            if number <= _FEW:
                every = np.arange(number) if mask is None else np.flatnonzero(mask)
                rows = [every] * len(own)
            else:
                wanted = min(number, topk + max(len(excluded[place]) for place in own))
                parameters = self._parameters(mask, number, wanted)
                rows = list(self._index.search(queries[own], wanted, params=parameters)[1])
            # Where faiss finds fewer than wanted it fills up with -1.
            for place, nearest in zip(own, rows, strict=True):
                found[place] = nearest[~np.isin(nearest, [-1, *excluded[place]])]
        yield from (found[place] for place in range(len(queries)))

    def _parameters(self, mask: np.ndarray | None, number: int, wanted: int) -> Any:
        """Return how to search, see :class:`FaissStore`."""
        faiss, index = self._faiss, self._index
        options = {}
        if mask is not None:
            # The bitmap belongs to the selector, which the parameters keep.
            options['sel'] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder='little'))
        if isinstance(index, faiss.IndexFlat):
            return faiss.SearchParameters(**options)
        share = number / index.ntotal
        if isinstance(index, faiss.IndexHNSW):
            effort = int((self._effort or _NODES) / share)
            return faiss.SearchParametersHNSW(efSearch=max(effort, wanted), **options)
        effort = int((self._effort or max(_LISTS, _LIST_SHARE * index.nlist)) / share)
        return faiss.SearchParametersIVF(nprobe=min(effort, index.nlist), **options)

    def _is_ready(self) -> bool:
        """Bring the index up to date; return whether there is enough to make it of."""
        if self._layout != self._state.layout:
            # Rows have changed places. What was trained stays.
            self._index.reset()
            self._layout, self._num_kept = self._state.layout, 0
        index, number = self._index, len(self._records)
        if not index.is_trained:
            plain = isinstance(index, self._faiss.IndexIVFFlat)
            if number < _TRAINING_ROWS * max(index.nlist, 0 if plain else _CODE_CENTRES):
                return False
            index.train(self._rows(np.arange(number)))
        start = 0
        for block in self._features:
            end = start + len(block)
            if end > index.ntotal:
                rows = np.ascontiguousarray(block[index.ntotal - start :])
                lengths = np.einsum('nd,nd->n', rows, rows)
                if not (whole := np.abs(lengths - 1) < LARGEST - 1).all():
                    raise self._damaged(index.ntotal + int(np.argmin(whole)))
                index.add(rows)
            start = end
        return bool(number)

    def _make(self) -> Any:
        faiss = self._faiss
        try:
            index = faiss.index_factory(self.dim, self._kind, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise ValueError(f'faiss knows no index {self._kind!r}: {error}') from error
        if not isinstance(index, faiss.IndexFlat | faiss.IndexHNSW | faiss.IndexIVF):
            raise ValueError(
                f"the index {self._kind!r} cannot be searched with filters: take one like 'Flat', "
                "'HNSW32', 'IVF1024,Flat' or 'IVF1024,PQ64'"
            )
        return index

    def _read_index(self) -> None:
        """Go on with the index that the folder keeps, if it fits."""
        file = self._folder and self._folder.index_file(replace(self._state, index=self._kind))
        if not file or not file.exists():
            return
        try:
            index = self._faiss.read_index(str(file))
        except RuntimeError:
            # Damaged; it is made anew of the features.
            return
        if index.d == self.dim and index.ntotal <= len(self._records):
            self._index, self._num_kept = index, index.ntotal


def _import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            'search with faiss needs an optional package: pip install faiss-cpu'
        ) from error
    return faiss
