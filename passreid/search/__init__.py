"""Galleries of features and the search in them."""

from .gallery_record import FieldValue, GalleryRecord, Match, SearchFilter
from .gallery_store import GalleryStore
from .memory_store import MemoryStore
from .stale_gallery import StaleGalleryError

__all__ = [
    'FieldValue',
    'GalleryRecord',
    'GalleryStore',
    'Match',
    'MemoryStore',
    'SearchFilter',
    'StaleGalleryError',
]
