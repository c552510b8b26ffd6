"""Exact nearest neighbors without a matrix of all distances."""

import warnings
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .kernels import keep_nearest, over_rows

ELEMENTS = 2**23  # 32 MiB of distances
LEAST_ROWS = 128  # Fewer make products of matrices slow.
BLOCK = 2048
# Relative to the squared length of features: what float32 leaves of a squared distance of 0.
NOISE = 2.0**-20


def to_tensor(values: Any) -> Tensor:
    """Tensor that shares the memory of an array, which may be read-only and is never written."""
    if isinstance(values, Tensor):
        return values.detach()
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='The given NumPy array is not writable')
        return torch.from_numpy(np.asarray(values))


def check_features(name: str, features: Any, device: torch.device | str | None = None) -> Tensor:
    """Make a float32 matrix of features ``(N, D)``, by default where they are.

    Raises:
        ValueError: If it is not a matrix, is empty or holds nan or infinity; says ``name``.
    """
    matrix = to_tensor(features)
    if matrix.ndim != 2 or not matrix.numel():
        raise ValueError(f'{name} has shape {tuple(matrix.shape)}, expected (images, dimensions)')
    matrix = matrix.to(device, torch.float32)
    finite = torch.stack([matrix.amin(1), matrix.amax(1)]).isfinite().all(0)
    if not finite.all():
        raise ValueError(f'row {int(finite.int().argmin())} of {name} holds nan or infinity')
    return matrix


def prepare_metric(metric: str, *features: Tensor) -> tuple[Tensor, ...]:
    """Normalize features for ``'cosine'``, leave them as they are for ``'euclidean'``."""
    if metric not in ('euclidean', 'cosine'):
        raise ValueError(f"metric is {metric!r}, expected 'euclidean' or 'cosine'")
    if metric == 'cosine':
        return tuple(F.normalize(matrix, dim=1) for matrix in features)
    return features


def row_chunks(num_rows: int, num_columns: int, chunk_size: int | None = None) -> Iterator[slice]:
    """Cut the rows of a matrix into chunks of 32 MiB of float32, or of ``chunk_size`` rows."""
    if chunk_size is None:
        chunk_size = max(ELEMENTS // num_columns, LEAST_ROWS)
    if chunk_size < 1:
        raise ValueError(f'chunk_size is {chunk_size}, expected at least 1')
    for start in range(0, num_rows, chunk_size):
        yield slice(start, min(start + chunk_size, num_rows))


def squared_lengths(features: Tensor) -> Tensor:
    """Squared Euclidean length of each row, without a copy of the features."""
    return torch.cat([features[rows].square().sum(1) for rows in row_chunks(*features.shape)])


def distance_chunks(
    query: Tensor, gallery: Tensor, metric: str = 'euclidean', chunk_size: int | None = None
) -> Iterator[Tensor]:
    """Compute distances of all pairs, those of a few queries at a time.

    Args:
        query (Tensor): ``(Q, D)`` float32.
        gallery (Tensor): ``(G, D)`` float32, on the same device.
        metric (str): ``'euclidean'``: the squared Euclidean distance, which ranks as the plain one
            does; rounding may leave tiny negative ones; ``'cosine'``: 1 - cos.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.

    Yields:
        Tensor: Distances ``(R, G)`` of the next queries; each overwrites the one before.
    """
    query, gallery = prepare_metric(metric, query, gallery)
    of_query, of_gallery = squared_lengths(query), squared_lengths(gallery)
    buffer = None
    for rows in row_chunks(len(query), len(gallery), chunk_size):
        if buffer is None:
            buffer = torch.empty(rows.stop, len(gallery), device=query.device)
        out = buffer[: rows.stop - rows.start]
        if metric == 'cosine':
            ones = torch.ones_like(of_gallery)
            yield torch.addmm(ones, query[rows], gallery.T, alpha=-1, out=out)
        else:
            torch.addmm(of_gallery, query[rows], gallery.T, alpha=-2, out=out)
            yield out.add_(of_query[rows, None])


def nearest_items(distances: Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest items of each row; of equal distances the smaller index is the nearer one.

    Args:
        distances (Tensor): ``(R, G)`` on any device; infinite where an item does not count.
        number (int): How many are wanted.

    Returns:
        tuple[np.ndarray, np.ndarray]: Distances and int64 indices ``(R, number)``, nearest first;
        infinity and -1 where no item is left.
    """
    if distances.device.type != 'cpu':
        return nearest_by_sorting(distances, number)
    block, shape = distances.numpy(), (len(distances), number)
    nearest, indices = np.full(shape, np.inf, block.dtype), np.full(shape, -1, np.int64)
    noise = np.full(len(block), -np.inf, np.float32)
    if number:
        over_rows(keep_nearest, len(block), block, 0, noise, nearest, indices)
    return nearest, indices


def nearest_by_sorting(distances: Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest items where the distances are; see :func:`nearest_items`."""
    # Adding zero makes -0.0 and 0.0 the same; a sort by bits would part them.
    values, order = (distances + 0.0).sort(dim=1, stable=True)
    missing = (0, max(number - distances.shape[1], 0))
    values = F.pad(values[:, :number], missing, value=torch.inf)
    order = F.pad(order[:, :number], missing).masked_fill(values == torch.inf, -1)
    return values.cpu().numpy(), order.cpu().numpy()


def nearest_neighbors(
    queries: Tensor, items: Tensor, k: int, metric: str = 'euclidean', chunk_size: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the ``k`` nearest items ``(N, D)`` of each query ``(Q, D)``; at most N are found.

    Returns:
        tuple[np.ndarray, np.ndarray]: Distances, see :func:`distance_chunks`, and int64 indices
        ``(Q, k)``; of equal distances the smaller index is the nearer one.
    """
    k = min(k, len(items))
    chunks = distance_chunks(queries, items, metric, chunk_size)
    distances, indices = zip(*(nearest_items(chunk, k) for chunk in chunks), strict=True)
    return np.concatenate(distances), np.concatenate(indices)


def mutual_neighbors(
    features: Tensor, k: int, progress: Callable[[int, int], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest neighbors of each item among all, itself included and always first.

    Distances within the rounding of float32 count as 0, so that copies of an item are equally
    near; of equal distances the smaller index is the nearer one.

    Args:
        features (Tensor): ``(N, D)`` float32.
        k (int): How many, the item itself included; at most N are found.
        progress (Callable, optional): Called with the number of blocks done and of all blocks.

    Returns:
        tuple[np.ndarray, np.ndarray]: Indices ``(N, k)`` int64 of the neighbors, nearest first, and
        the squared distance to the farthest item of all, ``(N,)`` float32.
    """
    squares = squared_lengths(features)
    noise = NOISE * squares
    search = _search_each_pair_once if features.device.type == 'cpu' else search_rows
    indices, farthest = search(features, squares, noise, min(k, len(features)), progress)
    farthest[farthest < noise.cpu().numpy()] = 0
    return indices, farthest


def _search_each_pair_once(
    features: Tensor, squares: Tensor, noise: Tensor, k: int, progress: Callable | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the distance of each pair once and offer it to both of its items."""
    number = len(features)
    nearest = np.full((number, k), np.inf, np.float32)
    indices = np.full((number, k), -1, np.int64)
    farthest = torch.zeros(number)

    def offer(block: Tensor, rows: slice, first_item: int) -> None:
        torch.maximum(farthest[rows], block.amax(1), out=farthest[rows])
        kept = noise[rows].numpy(), nearest[rows], indices[rows]
        over_rows(keep_nearest, len(block), block.numpy(), first_item, *kept)

    blocks = list(row_chunks(number, number, BLOCK))
    buffer, turned = torch.empty(2, min(BLOCK, number) ** 2)
    total = len(blocks) * (len(blocks) + 1) // 2
    for done, (rows, columns) in enumerate(combinations_with_replacement(blocks, 2), 1):
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        block = buffer[: shape[0] * shape[1]].view(shape)
        torch.addmm(squares[columns], features[rows], features[columns].T, alpha=-2, out=block)
        block.add_(squares[rows, None])
        if rows == columns:
            block.diagonal().fill_(-torch.inf)
        else:
            offer(turned[: block.numel()].view(shape[::-1]).copy_(block.T), columns, rows.start)
        offer(block, rows, columns.start)
        if progress:
            progress(done, total)
    return indices, farthest.numpy()


def search_rows(
    features: Tensor, squares: Tensor, noise: Tensor, k: int, progress: Callable | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Search where the features are, a few rows at a time."""
    found = []
    blocks = list(row_chunks(len(features), len(features)))
    chunks = distance_chunks(features, features)
    for done, (rows, block) in enumerate(zip(blocks, chunks, strict=True), 1):
        farthest = block.amax(1).clamp_(min=0)
        block[block < noise[rows, None]] = 0
        block.diagonal(rows.start).fill_(-torch.inf)
        found.append((nearest_items(block, k)[1], farthest.cpu().numpy()))
        if progress:
            progress(done, len(blocks))
    indices, of_farthest = map(np.concatenate, zip(*found, strict=True))
    return indices, of_farthest
