"""Approximate nearest neighbors with faiss, an optional package."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .neighbors import mutual_neighbors, nearest_neighbors

LISTS = 4  # Times the root of the number of items.
MOST = 1 / 16  # Of the lists; to search more of them takes longer than the exact search.
RECALL = 0.97
SAMPLE = 512  # Items whose neighbors are compared with the exact ones.
CHUNK = 4096


def approximate_neighbors(
    features: Tensor, k: int, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Find most of the nearest neighbors of each item, itself included and always first.

    Items are grouped in lists around centers, and for each item the lists of the centers nearest to
    it are searched: as many as find 97 % of the neighbors of a sample. The search is exact where
    that would take more than a sixteenth of the lists, as with few items. Memory holds a second
    copy of the features. Arguments and order are those of :func:`mutual_neighbors`.

    Returns:
        np.ndarray: Indices ``(N, k)`` int64, nearest first.

    Raises:
        ImportError: If faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "search='faiss' needs an optional package: pip install faiss-cpu; or take 'exact'"
        ) from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    number, dims = features.shape
    k = min(k, number)
    items = np.ascontiguousarray(features.numpy())
    index = faiss.IndexIVFFlat(
        faiss.IndexFlatL2(dims), dims, min(round(LISTS * number**0.5), number)
    )
    index.cp.min_points_per_centroid = 1  # Few items are not worth a warning.
    index.cp.max_points_per_centroid = 64  # More take longer and do not find more.
    index.train(items)
    index.add(items)
    lists = _lists_to_search(index, features, k)
    if lists is None:
        del index
        return mutual_neighbors(features, k, progress)[0]
    found = np.empty((number, k), np.int64)
    for start in range(0, number, CHUNK):
        stop = min(start + CHUNK, number)
        found[start:stop] = _search(index, lists, items[start:stop], k)
        _put_first(np.arange(start, stop), found[start:stop])
        if progress:
            progress(stop, number)
    return found


def _put_first(items: np.ndarray, indices: np.ndarray) -> None:
    """Move each item to the start of its neighbors, in place of the last one if it is missing."""
    is_item = indices == items[:, None]
    is_item[:, -1] |= ~is_item.any(1)
    columns, places = np.arange(indices.shape[1]), is_item.argmax(1)[:, None]
    indices[:] = np.take_along_axis(indices, columns - (columns <= places), 1)
    indices[:, 0] = items


def _lists_to_search(index: Any, features: Tensor, k: int) -> int | None:
    """Raise the number of lists until enough neighbors are found; None if they are too many."""
    sample = torch.linspace(0, len(features) - 1, min(SAMPLE, len(features))).long()
    queries = features[sample]
    exact = nearest_neighbors(queries, features, k)[1]
    lists = 1
    while lists <= MOST * index.nlist:
        found = _search(index, lists, queries.numpy(), k)
        hits = sum(np.isin(*pair).sum() for pair in zip(found, exact, strict=True))
        if hits >= RECALL * exact.size:
            return lists
        lists += (lists + 1) // 2
    return None


def _search(index: Any, lists: int, queries: np.ndarray, k: int) -> np.ndarray:
    index.nprobe = lists
    distances, indices = index.search(queries, k)
    # Those lists may hold fewer than k items.
    short = indices[:, -1] < 0
    if short.any():
        index.nprobe = index.nlist
        distances[short], indices[short] = index.search(queries[short], k)
    return np.take_along_axis(indices, np.lexsort((indices, distances)), 1)
