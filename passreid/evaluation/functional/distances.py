"""Distances between queries and gallery, a few queries at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .chunks import row_chunks
from .features import prepare_metric


def distance_chunks(
    query: Tensor, gallery: Tensor, metric: str = 'euclidean', chunk_size: int | None = None
) -> Iterator[Tensor]:
    """Compute distances of all pairs.

    Args:
        query (Tensor): ``(Q, D)`` float32.
        gallery (Tensor): ``(G, D)`` float32, on the same device.
        metric (str): ``'euclidean'``: the squared Euclidean distance, which ranks as the plain one
            does; ``'cosine'``: 1 - cos.
        chunk_size (int, optional): Queries at a time; by default as many as take 64 MiB.

    Yields:
        Tensor: Distances ``(R, G)`` of the next queries; each overwrites the one before.
    """
    query, gallery = prepare_metric(metric, query, gallery)
    if metric == 'cosine':
        bias = torch.ones(len(gallery), device=gallery.device)
        of_query, scale = torch.zeros(len(query), device=query.device), -1.0
    else:
        bias, of_query, scale = gallery.square().sum(1), query.square().sum(1), -2.0
    buffer = None
    for rows in row_chunks(len(query), len(gallery), chunk_size):
        block = query[rows]
        if buffer is None:
            buffer = torch.empty(len(block), len(gallery), device=query.device)
        out = buffer[: len(block)]
        torch.addmm(bias, block, gallery.T, alpha=scale, out=out)
        yield out.add_(of_query[rows, None])
