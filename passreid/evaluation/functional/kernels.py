"""Compiled loops over the rows of a block of distances."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def remove_rows(
    start: int,
    stop: int,
    distances: np.ndarray,
    items: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    query_cam_ids: np.ndarray,
    gallery_cam_ids: np.ndarray,
    same_image: np.ndarray,
    finite: np.ndarray,
) -> None:
    """Set what does not count for a query to infinity, after a look for values that are not finite.

    ``items[first[row]:last[row]]`` are the gallery items of the query's identity.
    """
    for row in range(start, stop):
        line = distances[row]
        odd = 0
        for item in range(len(line)):
            odd += 0 if abs(line[item]) < np.inf else 1
        finite[row] = odd == 0
        if query_cam_ids[row] != -1:
            for place in range(first[row], last[row]):
                if gallery_cam_ids[items[place]] == query_cam_ids[row]:
                    line[items[place]] = np.inf
        if same_image[row] != -1:
            line[same_image[row]] = np.inf


@njit(cache=True, nogil=True)
def rank_rows(
    start: int,
    stop: int,
    distances: np.ndarray,
    items: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    average_precision: np.ndarray,
    first_hit_rank: np.ndarray,
    inverse_negative_penalty: np.ndarray,
) -> None:
    """Score each row without sorting it: count the items that lie before each match."""
    longest = 0
    for row in range(start, stop):
        longest = max(longest, last[row] - first[row])
    unsorted_matches = np.empty(longest, np.int64)
    unsorted_distances = np.empty(longest, distances.dtype)
    before = np.empty(longest + 1, np.int64)
    for row in range(start, stop):
        line = distances[row]
        hits = 0
        for place in range(first[row], last[row]):
            if line[items[place]] < np.inf:
                unsorted_matches[hits] = items[place]
                unsorted_distances[hits] = line[items[place]]
                hits += 1
        if hits == 0:
            continue
        # A stable sort of ascending indices: equal distances stay in the order of the gallery.
        order = np.argsort(unsorted_distances[:hits], kind='mergesort')
        matches = unsorted_matches[:hits][order]
        matched = unsorted_distances[:hits][order]
        before[: hits + 1] = 0
        for item in range(len(line)):
            value = line[item]
            if value <= matched[hits - 1]:
                before[_first_not_before(matched, matches, value, item)] += 1
        # Each match was counted in its own place, so the sums are ranks that start at 1.
        rank = before[0]
        first_hit_rank[row] = rank
        precisions = 1 / rank
        for hit in range(1, hits):
            rank += before[hit]
            precisions += (hit + 1) / rank
        average_precision[row] = precisions / hits
        inverse_negative_penalty[row] = hits / rank


@njit(cache=True, nogil=True)
def _first_not_before(matched: np.ndarray, matches: np.ndarray, value: float, item: int) -> int:
    """Return the first of the sorted matches that does not come before an item."""
    place, size = 0, len(matched)
    while size > 1:
        half = size // 2
        place = place + half if matched[place + half - 1] < value else place
        size -= half
    place += matched[place] < value
    while place < len(matched) and matched[place] == value and matches[place] < item:
        place += 1
    return place
