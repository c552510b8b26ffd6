"""Galleries of features and the search in them."""

import os
import re
from typing import Any

from .gallery import FieldValue, Gallery, GalleryRecord, Match, SearchFilter, StaleGalleryError
from .local import LocalStore
from .milvus import MilvusStore, is_address

__all__ = [
    'FieldValue',
    'Gallery',
    'GalleryRecord',
    'LocalStore',
    'Match',
    'MilvusStore',
    'SearchFilter',
    'StaleGalleryError',
    'open_store',
]


def open_store(
    where: str | os.PathLike | None = None,
    dim: int | None = None,
    model: str | None = None,
    **options: Any,
) -> Gallery:
    """Open a gallery, or make it.

    Args:
        where (str | Path, optional): Where the gallery is kept: None or 'memory' for a
            :class:`LocalStore` in memory, a folder for one on disk, and 'FILE.db',
            'http://HOST:PORT' or 'https://...' for :class:`MilvusStore`.
        dim (int, optional): Length of a feature. Defaults to that of the gallery.
        model (str, optional): Fingerprint of the model. Defaults to that of the gallery.
        **options: Further arguments of the store.

    Examples:
        >>> with open_store('memory', 768, 'fingerprint of the model') as store:
        ...     len(store)
        0
    """
    place = 'memory' if where is None else os.fsdecode(where)
    if is_address(place) or place.endswith('.db'):
        return MilvusStore(place, dim, model, **options)
    if place == 'memory':
        return LocalStore(dim, model, **options)
    # A drive of Windows has one letter.
    if re.match('[a-z]{2,}:', place) or os.path.isfile(place) or not place:
        raise ValueError(
            f"{place!r} is no gallery: known are 'memory', a folder, 'FILE.db' for Milvus in a "
            "file, and the address of a Milvus server, 'http://HOST:PORT' or 'https://...'"
        )
    return LocalStore(dim, model, place, **options)
