"""Galleries by where they are."""

import os
from pathlib import Path
from typing import Any

from .faiss_store import FaissStore
from .gallery_store import GalleryStore
from .memory_store import MemoryStore
from .milvus_connection import is_address
from .milvus_store import MilvusStore

_KINDS = (
    "'memory'; a folder; 'faiss:FOLDER'; 'FILE.db' or 'milvus:FILE.db', a local Milvus database; "
    "or the address of a Milvus server, 'http://HOST:PORT' or 'https://...'"
)


def open_store(
    where: str | os.PathLike | None = None,
    dim: int | None = None,
    model: str | None = None,
    **options: Any,
) -> GalleryStore:
    """Open a gallery, or make it.

    Args:
        where (str | Path, optional): Where the gallery is kept: None or 'memory' for
            :class:`MemoryStore` in memory, a folder for one on disk, 'faiss:FOLDER' for
            :class:`FaissStore`, and 'FILE.db', 'milvus:FILE.db', 'http://HOST:PORT' or
            'https://...' for :class:`MilvusStore`.
        dim (int, optional): Length of a feature. Defaults to that of the gallery.
        model (str, optional): Fingerprint of the model. Defaults to that of the gallery.
        **options: Further arguments of the store.

    Raises:
        StaleGalleryError: When the gallery has features of another model.
        ValueError: When it is nothing of the kind.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.
        ConnectionError: When a server does not answer.

    Examples:
        >>> with open_store('memory', 768, 'fingerprint of the model') as store:
        ...     len(store)
        0
    """
    place = 'memory' if where is None else os.fsdecode(where)
    kind, colon, rest = place.partition(':')
    if is_address(place):
        return MilvusStore(place, dim, model, **options)
    if place == 'memory':
        return MemoryStore(dim, model, **options)
    if kind == 'faiss' and rest:
        return FaissStore(dim, model, rest, **options)
    if kind == 'milvus' and rest:
        return MilvusStore(rest, dim, model, **options)
    # A drive of Windows has one letter.
    if not place or (colon and len(kind) > 1 and kind.isalnum() and not Path(place).exists()):
        raise ValueError(f'{place!r} is no gallery: known are {_KINDS}')
    if place.endswith('.db'):
        return MilvusStore(place, dim, model, **options)
    if Path(place).is_file():
        raise ValueError(f'{place} is a file, but no gallery: known are {_KINDS}')
    return MemoryStore(dim, model, place, **options)
