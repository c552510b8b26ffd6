"""A folder of images as a gallery that remembers its features."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from mmengine.logging import MMLogger

from passreid.search import GalleryStore, MemoryStore
from passreid.utils.cache_folder import cache_folder, source_digest

from .gallery_index import IndexSummary

_DIGITS = 16


def open_folder_gallery(
    folder: str | os.PathLike,
    dim: int,
    model: str,
    update: Callable[[GalleryStore], IndexSummary],
    cache_dir: str | os.PathLike | None = None,
) -> MemoryStore:
    """Open the kept features of a folder, brought up to date, or make them.

    Each model has files of its own; damaged ones are made anew. A lock lets one process do the
    work while others wait.

    Args:
        folder (str | Path): The images.
        dim (int): Length of a feature.
        model (str): Fingerprint of the model.
        update (Callable): Makes a store hold the features of the folder.
        cache_dir (str | Path, optional): Where to keep them. Defaults to None, see
            :func:`cache_folder`.

    Returns:
        MemoryStore: On disk, memory-mapped.

    Raises:
        FileNotFoundError: When there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {os.fsdecode(folder)} to search')
    parent = cache_folder(folder) if cache_dir is None else Path(cache_dir)
    parent.mkdir(parents=True, exist_ok=True)
    source = source_digest(folder)
    place = parent / f'gallery-{source}-{model[:_DIGITS]}'
    logger = MMLogger.get_current_instance()
    with FileLock(f'{place}.lock'):
        if not place.is_dir():
            others = any(path.is_dir() for path in parent.glob(f'gallery-{source}-*'))
            what = 'features of another model only' if others else 'no features yet'
            logger.info(f'{os.fsdecode(folder)}: {what}; those of this one go to {place}')
        try:
            store = MemoryStore(dim, model, folder=place)
        except ValueError as error:
            logger.warning(f'{error}. It is a cache: it is made anew')
            shutil.rmtree(place)
            store = MemoryStore(dim, model, folder=place)
        summary = update(store)
    logger.info(f'{os.fsdecode(folder)}: {summary}; {len(store)} images in the gallery')
    return store
