"""Approximate nearest neighbours through faiss, an optional package."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .neighbours import nearest_neighbours

LISTS = 4  # Times the root of the number of items.
RECALL = 0.97
SAMPLE = 512  # Items whose neighbours are compared with the exact ones.
CHUNK = 4096


def approximate_neighbours(
    features: Tensor, k: int, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Find most of the nearest neighbours of each item, itself included and always first.

    Items are grouped in lists around centres, and the lists whose centres are nearest to an item
    are searched: as many as find 97 % of the neighbours of a sample of the items.

    Args:
        features (Tensor): ``(N, D)`` float32 on the CPU.
        k (int): How many, the item itself included; at most N are found.
        progress (Callable, optional): Called with how many items are done and how many there are.

    Returns:
        np.ndarray: Indices ``(N, k)`` int64, nearest first; of equal distances the smaller index
        is the nearer one.

    Raises:
        ImportError: If faiss is not installed.
    """
    faiss = _import_faiss()
    faiss.omp_set_num_threads(torch.get_num_threads())
    number, dims = features.shape
    k = min(k, number)
    items = np.ascontiguousarray(features.numpy())
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatL2(dims), dims, min(round(LISTS * number**0.5), number)
    )
    index.cp.min_points_per_centroid = 1  # Few items are not worth a warning.
    index.train(items)
    index.add(items)
    index.nprobe = _lists_to_search(index, features, k)
    found = np.empty((number, k), np.int64)
    for start in range(0, number, CHUNK):
        rows = slice(start, min(start + CHUNK, number))
        found[rows] = _search(index, items[rows], k)
        _put_first(np.arange(number)[rows], found[rows])
        if progress:
            progress(rows.stop, number)
    return found


def _import_faiss() -> Any:
    try:
        return import_module('faiss')
    except ImportError as error:
        raise ImportError(
            "search='faiss' needs the package faiss: pip install faiss-cpu, or search='exact'"
        ) from error


def _lists_to_search(index: Any, features: Tensor, k: int) -> int:
    """Double the number of lists until enough neighbours are found."""
    sample = np.unique(np.linspace(0, len(features) - 1, SAMPLE).astype(np.int64))
    queries = features[torch.from_numpy(sample)]
    _, exact = nearest_neighbours(queries, features, k)
    lists = 1
    while lists < index.nlist:
        index.nprobe = lists
        found = _search(index, queries.numpy(), k)
        hits = sum(len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True))
        if hits >= RECALL * exact.size:
            break
        lists *= 2
    return min(lists, index.nlist)


def _search(index: Any, queries: np.ndarray, k: int) -> np.ndarray:
    distances, indices = index.search(queries, k)
    # The lists searched may hold fewer items; all lists hold enough.
    short = indices[:, -1] < 0
    if short.any():
        lists, index.nprobe = index.nprobe, index.nlist
        distances[short], indices[short] = index.search(queries[short], k)
        index.nprobe = lists
    order = np.lexsort((indices, distances))
    return np.take_along_axis(indices, order, 1)


def _put_first(items: np.ndarray, indices: np.ndarray) -> None:
    """Move each item to the start of its neighbours, in place of the last one if it is missing."""
    is_item = indices == items[:, None]
    is_item[:, -1] |= ~is_item.any(1)
    places = is_item.argmax(1)[:, None]
    columns = np.arange(indices.shape[1])
    indices[:] = np.take_along_axis(indices, np.where(columns <= places, columns - 1, columns), 1)
    indices[:, 0] = items
