"""The few nearest items of a long row, kept in a heap.

A heap is two arrays, distances and indices, whose first element is the farthest kept. Of equal
distances the smaller index is the nearer one, so the outcome does not depend on the order of the
offers.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def is_farther(distance: float, index: int, other_distance: float, other_index: int) -> bool:
    """Whether an item comes after another one."""
    return distance > other_distance or (distance == other_distance and index > other_index)


@njit(cache=True, nogil=True)
def settle(
    distances: np.ndarray, indices: np.ndarray, size: int, distance: float, index: int
) -> None:
    """Put an item in the place of the first one and restore the heap of ``size`` elements."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        twin = child + 1
        if twin < size and is_farther(
            distances[twin], indices[twin], distances[child], indices[child]
        ):
            child = twin
        if not is_farther(distances[child], indices[child], distance, index):
            break
        distances[parent] = distances[child]
        indices[parent] = indices[child]
        parent = child
    distances[parent] = distance
    indices[parent] = index


@njit(cache=True, nogil=True)
def sort_heap(distances: np.ndarray, indices: np.ndarray) -> None:
    """Turn a heap into a list, nearest first."""
    for size in range(len(distances) - 1, 0, -1):
        distance, index = distances[size], indices[size]
        distances[size], indices[size] = distances[0], indices[0]
        settle(distances, indices, size, distance, index)
