"""Scores of each query from a block of its distances."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.threads import over_rows

from .labels import RankingLabels
from .rank_kernels import rank_rows


class RowScores(NamedTuple):
    """Scores of R queries, float64 and int64; nan and 0 without a match.

    Args:
        average_precision (np.ndarray): ``(R,)``, mean of the precision at each match.
        first_hit_rank (np.ndarray): ``(R,)``, rank of the first match, from 1.
        inverse_negative_penalty (np.ndarray): ``(R,)``, number of matches by the rank of the last.
    """

    average_precision: np.ndarray
    first_hit_rank: np.ndarray
    inverse_negative_penalty: np.ndarray


def score_rows(distances: Tensor, labels: RankingLabels) -> RowScores:
    """Score queries; of equal distances the item that comes first in the gallery is the nearer one.

    Args:
        distances (Tensor): ``(R, G)`` on any device; infinite where an item does not count.
        labels (RankingLabels): Of these queries and this gallery.

    Returns:
        RowScores: Scores of the R queries.
    """
    if distances.device.type != 'cpu':
        return score_rows_on_device(distances, labels)
    number = len(distances)
    scores = RowScores(np.full(number, np.nan), np.zeros(number, np.int64), np.full(number, np.nan))
    over_rows(rank_rows, number, distances.numpy(), *labels.same_identity, *scores)
    return scores


def score_rows_on_device(distances: Tensor, labels: RankingLabels) -> RowScores:
    """Score queries where their distances are, by sorting them; see :func:`score_rows`."""
    device = distances.device
    # Adding zero makes -0.0 and 0.0 the same; a sort by bits would part them.
    values, order = (distances + 0.0).sort(dim=1, stable=True)
    pids = torch.as_tensor(labels.gallery_pids, device=device)[order]
    hits = (pids == torch.as_tensor(labels.query_pids, device=device)[:, None]) & values.isfinite()
    ranks = torch.arange(1, distances.shape[1] + 1, device=device)
    found = hits.cumsum(1)
    number = found[:, -1].double()
    precisions = (found * hits).double().div_(ranks).sum(1)
    first = (hits.int().argmax(1) + 1) * (number > 0)
    last = (hits * ranks).amax(1)
    scores = (precisions / number, first, number / last)
    return RowScores(*(score.cpu().numpy() for score in scores))
