"""Approximate nearest neighbours through faiss, an optional package."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .neighbours import mutual_neighbours, nearest_neighbours

LISTS = 4  # Times the root of the number of items.
MOST = 1 / 16  # Of the lists; to search more of them takes longer than the exact search.
RECALL = 0.97
SAMPLE = 512  # Items whose neighbours are compared with the exact ones.
CHUNK = 4096


def approximate_neighbours(
    features: Tensor, k: int, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Find most of the nearest neighbours of each item, itself included and always first.

    Items are grouped in lists around centres, and for each item the lists of the centres nearest to
    it are searched: as many as find 97 % of the neighbours of a sample. The search is exact where
    that would take more than a sixteenth of the lists, as with few items. Memory holds a second
    copy of the features.

    Args:
        features (Tensor): ``(N, D)`` float32 on the CPU.
        k (int): How many, the item itself included; at most N are found.
        progress (Callable, optional): Called with how many parts are done and how many there are.

    Returns:
        np.ndarray: Indices ``(N, k)`` int64, nearest first; of equal distances the smaller index
        is the nearer one.

    Raises:
        ImportError: If faiss is not installed.
    """
    faiss = _import_faiss()
    faiss.omp_set_num_threads(torch.get_num_threads())
    k = min(k, len(features))
    index = _build_index(faiss, features)
    lists = _lists_to_search(index, features, k)
    if lists is None:
        del index
        return mutual_neighbours(features, k, progress).indices
    found = np.empty((len(features), k), np.int64)
    for start in range(0, len(features), CHUNK):
        rows = slice(start, min(start + CHUNK, len(features)))
        found[rows] = _search(index, lists, features[rows], k)
        put_first(np.arange(rows.start, rows.stop), found[rows])
        if progress:
            progress(rows.stop, len(features))
    return found


def put_first(items: np.ndarray, indices: np.ndarray) -> None:
    """Move each item to the start of its neighbours, in place of the last one if it is missing.

    Args:
        items (np.ndarray): ``(N,)``.
        indices (np.ndarray): Its neighbours ``(N, k)``, changed in place.
    """
    is_item = indices == items[:, None]
    is_item[:, -1] |= ~is_item.any(1)
    places = is_item.argmax(1)[:, None]
    columns = np.arange(indices.shape[1])
    indices[:] = np.take_along_axis(indices, columns - (columns <= places), 1)
    indices[:, 0] = items


def _import_faiss() -> Any:
    try:
        return import_module('faiss')
    except ImportError as error:
        raise ImportError(
            "search='faiss' needs an optional package: pip install faiss-cpu; or take 'exact'"
        ) from error


def _build_index(faiss: Any, features: Tensor) -> Any:
    number, dims = features.shape
    lists = min(round(LISTS * number**0.5), number)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dims), dims, lists)
    index.cp.min_points_per_centroid = 1  # Few items are not worth a warning.
    index.cp.max_points_per_centroid = 64  # More take longer and do not find more.
    items = np.ascontiguousarray(features.numpy())
    index.train(items)
    index.add(items)
    return index


def _lists_to_search(index: Any, features: Tensor, k: int) -> int | None:
    """Raise the number of lists until enough neighbours are found; None if they are too many."""
    sample = torch.linspace(0, len(features) - 1, min(SAMPLE, len(features))).long()
    queries = features[sample]
    exact = nearest_neighbours(queries, features, k)[1]
    lists = 1
    while lists <= MOST * index.nlist:
        found = _search(index, lists, queries, k)
        hits = sum(np.isin(*pair).sum() for pair in zip(found, exact, strict=True))
        if hits >= RECALL * exact.size:
            return lists
        lists += (lists + 1) // 2
    return None


def _search(index: Any, lists: int, queries: Tensor, k: int) -> np.ndarray:
    index.nprobe = lists
    distances, indices = index.search(np.ascontiguousarray(queries.numpy()), k)
    # Those lists may hold fewer than k items.
    short = indices[:, -1] < 0
    if short.any():
        index.nprobe = index.nlist
        found = index.search(np.ascontiguousarray(queries.numpy()[short]), k)
        distances[short], indices[short] = found
    return np.take_along_axis(indices, np.lexsort((indices, distances)), 1)
