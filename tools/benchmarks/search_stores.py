"""Stores and a gallery, ready to be measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from passreid.search import (
    FaissStore,
    GalleryRecord,
    GalleryStore,
    MemoryStore,
    MilvusStore,
    SearchFilter,
)

# The first is exact.
STORES: dict[str, Callable[..., GalleryStore]] = {
    'memory': lambda dim, model, folder: MemoryStore(dim, model, folder, 'cpu'),
    'faiss-Flat': lambda dim, model, folder: FaissStore(dim, model, folder, 'Flat'),
    'faiss-HNSW32': lambda dim, model, folder: FaissStore(dim, model, folder, 'HNSW32'),
    'faiss-IVF': lambda dim, model, folder: FaissStore(dim, model, folder, 'IVF512,Flat'),
    'milvus-FLAT': lambda dim, model, folder: MilvusStore(folder / 'gallery.db', dim, model),
    'milvus-HNSW': lambda dim, model, folder: MilvusStore(
        folder / 'gallery.db',
        dim,
        model,
        index='HNSW',
        index_params=dict(M=32, efConstruction=40),
        search_params=dict(ef=128),
    ),
}
_MODEL = 'benchmark'
_CAMERAS = 6
_IMAGES_PER_PERSON, _LIKENESS = 8, 0.6
_QUERIES = 500
_SEED = 0


@dataclass(frozen=True)
class Gallery:
    """What stores are filled with and asked for.

    Attributes:
        features (np.ndarray): ``(N, D)`` float32.
        queries (np.ndarray): ``(500, D)`` float32.
    """

    features: np.ndarray
    queries: np.ndarray


def draw_gallery(number: int, dims: int) -> Gallery:
    """Draw features of people, and of queries.

    Args:
        number (int): Images of the gallery.
        dims (int): Values to a feature.
    """
    generator = np.random.default_rng(_SEED)
    people = generator.standard_normal((-(-number // _IMAGES_PER_PERSON), dims), np.float32)

    def images(owners: np.ndarray) -> np.ndarray:
        own = generator.standard_normal((len(owners), dims), np.float32)
        own *= (1 - _LIKENESS) ** 0.5
        own += np.float32(_LIKENESS**0.5) * people[owners]
        return own

    owners = generator.permutation(number) % len(people)
    return Gallery(images(owners), images(generator.integers(0, len(people), _QUERIES)))


def make_records(number: int) -> list[GalleryRecord]:
    """Make records with a path as long as paths are.

    Args:
        number (int): How many.
    """
    return [
        GalleryRecord(
            f'/data/cameras/crops/{place // 1000:05}/{place:09}.jpg',
            place % _CAMERAS,
            float(place),
            dict(weather=('sun', 'rain', 'snow')[place % 3]),
            f'{place % 9999}-{1714579200000000000 + place}',
        )
        for place in range(number)
    ]


def not_own_camera(number: int) -> list[SearchFilter]:
    """Return filters that leave out a camera, another one for each query in turn."""
    return [SearchFilter(not_cameras=[place % _CAMERAS]) for place in range(number)]


def open_gallery(kind: str, dims: int, folder: str | Path, is_new: bool = False) -> GalleryStore:
    """Open a store.

    Args:
        kind (str): Which.
        dims (int): Values to a feature.
        folder (str | Path): Where it is.
        is_new (bool): Whether it is to be made. Defaults to False.
    """
    if is_new:
        Path(folder).mkdir(parents=True)
    return STORES[kind](dims, _MODEL, Path(folder))


def open_work(kind: str, dims: int, folder: str) -> Callable[[], object]:
    """Return the work of opening a store; for :func:`peak_memory`."""
    return lambda: open_gallery(kind, dims, folder)


def search_work(kind: str, queries: np.ndarray, folder: str) -> Callable[[], object]:
    """Return the work of opening a store and searching it; for :func:`peak_memory`."""

    def work() -> None:
        with open_gallery(kind, queries.shape[1], folder) as store:
            store.search(queries)

    return work
