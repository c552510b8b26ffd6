"""Exact nearest neighbours without a matrix of all distances."""

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .distances import distance_chunks, squared_distances, squared_lengths
from .nearest_heap import offer_rows, sort_rows
from .nearest_items import nearest_items
from .row_chunks import row_chunks
from .threads import over_rows

BLOCK = 2048
# Relative to the squared length of features: what float32 leaves of a squared distance of 0.
NOISE = 2.0**-20


class Neighbours(NamedTuple):
    """Nearest neighbours among N items, each its own first one.

    Args:
        distances (np.ndarray): ``(N, k)`` float32, squared Euclidean, nearest first.
        indices (np.ndarray): ``(N, k)`` int64.
        farthest (np.ndarray): ``(N,)`` float32: squared distance to the farthest item of all.
    """

    distances: np.ndarray
    indices: np.ndarray
    farthest: np.ndarray


def nearest_neighbours(
    queries: Tensor, items: Tensor, k: int, metric: str = 'euclidean', chunk_size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest items of each query; of equal distances the smaller index is the nearer one.

    Args:
        queries (Tensor): ``(Q, D)`` float32.
        items (Tensor): ``(N, D)`` float32, on the same device.
        k (int): How many; at most N are found.
        metric (str): ``'euclidean'`` (squared) or ``'cosine'`` (1 - cos).
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.

    Returns:
        tuple[np.ndarray, np.ndarray]: Distances ``(Q, k)`` float32 and indices ``(Q, k)`` int64,
        nearest first.
    """
    k = min(k, len(items))
    chunks = distance_chunks(queries, items, metric, chunk_size)
    distances, indices = zip(*(nearest_items(chunk, k) for chunk in chunks), strict=True)
    return np.concatenate(distances), np.concatenate(indices)


def mutual_neighbours(
    features: Tensor, k: int, progress: Callable[[int, int], None] | None = None
) -> Neighbours:
    """Find the nearest neighbours of each item among all, itself included and always first.

    Distances within the rounding of float32 count as 0, so that copies of an item are equally
    near; of equal distances the smaller index is the nearer one.

    Args:
        features (Tensor): ``(N, D)`` float32.
        k (int): How many, the item itself included; at most N are found.
        progress (Callable, optional): Called with how many blocks of distances are done and how
            many there are.

    Returns:
        Neighbours: Nearest neighbours and the distance of the farthest item.
    """
    k = min(k, len(features))
    squares = squared_lengths(features)
    noise = NOISE * squares
    search = _search_on_cpu if features.device.type == 'cpu' else search_on_device
    distances, indices, farthest = search(features, squares, k, noise, progress)
    distances[:, 0] = 0
    farthest[farthest < noise.cpu().numpy()] = 0
    return Neighbours(distances, indices, farthest)


def _search_on_cpu(
    features: Tensor,
    squares: Tensor,
    k: int,
    noise: Tensor,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute each distance once and offer it to both of its items."""
    number = len(features)
    distances = np.full((number, k), np.inf, np.float32)
    indices = np.full((number, k), -1, np.int64)
    farthest = np.zeros(number, np.float32)

    def offer_block(block: Tensor, rows: slice, columns: slice) -> None:
        kept = distances[rows], indices[rows], farthest[rows]
        floor = noise[rows].numpy()
        over_rows(offer_rows, len(block), block.numpy(), columns.start, floor, *kept)

    blocks = list(row_chunks(number, number, BLOCK))
    buffer, turned = torch.empty(2, min(BLOCK, number) ** 2)
    total = len(blocks) * (len(blocks) + 1) // 2
    pairs = combinations_with_replacement(blocks, 2)
    for done, (rows, columns) in enumerate(pairs, 1):
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        block = buffer[: shape[0] * shape[1]].view(shape)
        squared_distances(features[rows], features[columns], squares[rows], squares[columns], block)
        if rows == columns:
            block.diagonal().fill_(-torch.inf)
        else:
            other = turned[: block.numel()].view(shape[::-1]).copy_(block.T)
            offer_block(other, columns, rows)
        offer_block(block, rows, columns)
        if progress:
            progress(done, total)
    over_rows(sort_rows, number, distances, indices)
    return distances, indices, farthest


def search_on_device(
    features: Tensor,
    squares: Tensor,
    k: int,
    noise: Tensor,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Search where the features are, a few rows at a time."""
    found = []
    blocks = list(row_chunks(len(features), len(features)))
    for done, rows in enumerate(blocks, 1):
        block = squared_distances(features[rows], features, squares[rows], squares)
        farthest = block.amax(1).clamp_(min=0)
        block[block < noise[rows, None]] = 0
        block.diagonal(rows.start).fill_(-torch.inf)
        found.append((*nearest_items(block, k), farthest.cpu().numpy()))
        if progress:
            progress(done, len(blocks))
    distances, indices, of_farthest = map(np.concatenate, zip(*found, strict=True))
    return distances, indices, of_farthest
