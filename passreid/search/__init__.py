"""Galleries of features and the search in them."""

from .faiss_store import FaissStore
from .gallery_record import FieldValue, GalleryRecord, Match, SearchFilter
from .gallery_store import GalleryStore
from .memory_store import MemoryStore
from .milvus_store import MilvusStore
from .open_store import open_store
from .stale_gallery import StaleGalleryError

__all__ = [
    'FaissStore',
    'FieldValue',
    'GalleryRecord',
    'GalleryStore',
    'Match',
    'MemoryStore',
    'MilvusStore',
    'SearchFilter',
    'StaleGalleryError',
    'open_store',
]
