"""Galleries of features and the search in them."""

from .gallery_record import FieldValue, GalleryRecord, Match, SearchFilter
from .gallery_store import GalleryStore

__all__ = ['FieldValue', 'GalleryRecord', 'GalleryStore', 'Match', 'SearchFilter']
