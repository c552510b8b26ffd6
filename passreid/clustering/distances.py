"""Distances between sets of features, a few rows at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .features import prepare_metric
from .row_chunks import row_chunks


def squared_lengths(features: Tensor) -> Tensor:
    """Squared Euclidean length of each row, without a copy of the features.

    Args:
        features (Tensor): ``(N, D)`` float32.

    Returns:
        Tensor: ``(N,)`` float32.

    Raises:
        ValueError: If squared distances between such features can overflow.
    """
    squares = [features[rows].square().sum(1) for rows in row_chunks(*features.shape)]
    lengths = torch.cat(squares)
    if not 4 * lengths.max() < torch.inf:
        raise ValueError(
            f'the features are too large: squared distances overflow, as in row '
            f'{int(lengths.argmax())}'
        )
    return lengths


def squared_distances(
    rows: Tensor,
    items: Tensor,
    of_rows: Tensor,
    of_items: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """Squared Euclidean distances of all pairs; rounding may leave tiny negative ones.

    Args:
        rows (Tensor): ``(R, D)`` float32.
        items (Tensor): ``(G, D)`` float32.
        of_rows (Tensor): ``(R,)`` squared lengths of the rows.
        of_items (Tensor): ``(G,)`` squared lengths of the items.
        out (Tensor, optional): Where to put them.

    Returns:
        Tensor: ``(R, G)`` float32.
    """
    return torch.addmm(of_items, rows, items.T, alpha=-2, out=out).add_(of_rows[:, None])


def distance_chunks(
    query: Tensor, gallery: Tensor, metric: str = 'euclidean', chunk_size: int | None = None
) -> Iterator[Tensor]:
    """Compute distances of all pairs.

    Args:
        query (Tensor): ``(Q, D)`` float32.
        gallery (Tensor): ``(G, D)`` float32, on the same device.
        metric (str): ``'euclidean'``: the squared Euclidean distance, which ranks as the plain one
            does; ``'cosine'``: 1 - cos.
        chunk_size (int, optional): Queries at a time; by default as many as take 32 MiB.

    Yields:
        Tensor: Distances ``(R, G)`` of the next queries; each overwrites the one before.
    """
    query, gallery = prepare_metric(metric, query, gallery)
    of_query, of_gallery = squared_lengths(query), squared_lengths(gallery)
    ones = torch.ones_like(of_gallery)
    buffer = None
    for rows in row_chunks(len(query), len(gallery), chunk_size):
        if buffer is None:
            buffer = torch.empty(rows.stop, len(gallery), device=query.device)
        out = buffer[: rows.stop - rows.start]
        if metric == 'cosine':
            yield torch.addmm(ones, query[rows], gallery.T, alpha=-1, out=out)
        else:
            yield squared_distances(query[rows], gallery, of_query[rows], of_gallery, out)
