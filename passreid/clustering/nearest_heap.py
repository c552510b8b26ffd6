"""The few nearest items of a long row, kept in a heap.

A heap is two arrays, distances and indices, whose first element is the farthest kept. Of equal
distances the smaller index is the nearer one, so the outcome does not depend on the order of the
offers. An empty heap is filled with infinity and -1.
"""

import numpy as np
from numba import njit

SEGMENT = 64


@njit(cache=True, nogil=True)
def offer(
    line: np.ndarray, first_item: int, noise: float, distances: np.ndarray, indices: np.ndarray
) -> None:
    """Offer consecutive items to a heap.

    Args:
        line (np.ndarray): Distances ``(n,)`` of the items; infinite ones are never kept.
        first_item (int): Index of the first item.
        noise (float): Finite distances below it count as 0.
        distances (np.ndarray): Of the heap, ``(k,)``.
        indices (np.ndarray): Of the heap, ``(k,)``.
    """
    for start in range(0, len(line), SEGMENT):
        stop = min(start + SEGMENT, len(line))
        # Most segments hold nothing near, and their minimum is found many items at a time.
        if minimum(line[start:stop]) > distances[0]:
            continue
        for place in range(start, stop):
            distance = line[place]
            if distance < noise and distance > -np.inf:
                distance = line.dtype.type(0)
            if _is_farther(distances[0], indices[0], distance, first_item + place):
                _settle(distances, indices, len(distances), distance, first_item + place)


@njit(cache=True, nogil=True)
def sort_heap(distances: np.ndarray, indices: np.ndarray) -> None:
    """Turn a heap into a list, nearest first."""
    for size in range(len(distances) - 1, 0, -1):
        distance, index = distances[size], indices[size]
        distances[size], indices[size] = distances[0], indices[0]
        _settle(distances, indices, size, distance, index)


# Without nan, which callers rule out, the order of comparisons is free.
@njit(cache=True, nogil=True, fastmath={'nnan', 'nsz'})
def minimum(line: np.ndarray) -> float:
    """Return the least of some values."""
    least = line[0]
    for value in line:
        least = min(least, value)
    return least


@njit(cache=True, nogil=True, fastmath={'nnan', 'nsz'})
def maximum(line: np.ndarray) -> float:
    """Return the greatest of some values."""
    greatest = line[0]
    for value in line:
        greatest = max(greatest, value)
    return greatest


@njit(cache=True, nogil=True)
def _is_farther(distance: float, index: int, other_distance: float, other_index: int) -> bool:
    return distance > other_distance or (distance == other_distance and index > other_index)


@njit(cache=True, nogil=True)
def _settle(
    distances: np.ndarray, indices: np.ndarray, size: int, distance: float, index: int
) -> None:
    """Put an item in the place of the first one and restore the heap of ``size`` elements."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        twin = child + 1
        if twin < size and _is_farther(
            distances[twin], indices[twin], distances[child], indices[child]
        ):
            child = twin
        if not _is_farther(distances[child], indices[child], distance, index):
            break
        distances[parent] = distances[child]
        indices[parent] = indices[child]
        parent = child
    distances[parent] = distance
    indices[parent] = index
