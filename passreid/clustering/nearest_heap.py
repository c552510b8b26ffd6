"""The few nearest items of a long row, kept in a heap.

A heap is two arrays, distances and indices, whose first element is the farthest kept. Of equal
distances the smaller index is the nearer one, so the outcome does not depend on the order of the
offers. An empty heap is filled with infinity and -1.
"""

import numpy as np
from numba import njit

SEGMENT = 64


@njit(cache=True, nogil=True)
def offer_rows(
    start: int,
    stop: int,
    block: np.ndarray,
    first_item: int,
    noise: np.ndarray,
    distances: np.ndarray,
    indices: np.ndarray,
    farthest: np.ndarray,
) -> None:
    """Offer each row of a block ``(R, n)`` to its heap and keep track of the farthest item.

    Args:
        start (int): First row.
        stop (int): Row after the last.
        block (np.ndarray): Distances ``(R, n)`` of consecutive items.
        first_item (int): Index of the first item.
        noise (np.ndarray): ``(R,)``; finite distances below it count as 0.
        distances (np.ndarray): Of the heaps, ``(R, k)``.
        indices (np.ndarray): Of the heaps, ``(R, k)``.
        farthest (np.ndarray): ``(R,)``.
    """
    for row in range(start, stop):
        farthest[row] = max(farthest[row], maximum(block[row]))
        offer(block[row], first_item, noise[row], distances[row], indices[row])


@njit(cache=True, nogil=True)
def nearest_rows(
    start: int, stop: int, block: np.ndarray, distances: np.ndarray, indices: np.ndarray
) -> None:
    """List the nearest items of each row of a block ``(R, n)`` in heaps ``(R, k)``."""
    for row in range(start, stop):
        offer(block[row], 0, -np.inf, distances[row], indices[row])
    sort_rows(start, stop, distances, indices)


@njit(cache=True, nogil=True)
def sort_rows(start: int, stop: int, distances: np.ndarray, indices: np.ndarray) -> None:
    """Turn heaps ``(R, k)`` into lists, nearest first."""
    for row in range(start, stop):
        sort_heap(distances[row], indices[row])


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
