"""Evaluation of given distances."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from passreid.clustering.features import to_tensor
from passreid.clustering.row_chunks import row_chunks

from .labels import RankingLabels
from .rank_chunks import rank_chunks
from .scores import RankScores


def evaluate_rank(
    dist: Any, q_pids: Any, g_pids: Any, q_camids: Any, g_camids: Any, max_rank: int = 50
) -> RankScores:
    """Evaluate a matrix of distances by the protocol of Market-1501.

    For each query the gallery items of the same identity under the same camera are removed; with
    an unknown camera (-1) none is. Queries without a match are skipped. Of equal distances the
    item that comes first in the gallery is the nearer one.
    See https://openaccess.thecvf.com/content_iccv_2015/html/Zheng_Scalable_Person_Re-Identification_ICCV_2015_paper.html

    Args:
        dist (np.ndarray | Tensor): ``(Q, G)`` distances, ranked in their own precision.
        q_pids (Sequence[int]): ``(Q,)`` identities of the queries.
        g_pids (Sequence[int]): ``(G,)`` identities of the gallery; none is special.
        q_camids (Sequence[int]): ``(Q,)`` cameras, -1 where unknown.
        g_camids (Sequence[int]): ``(G,)`` cameras, -1 where unknown.
        max_rank (int): Length of the CMC.

    Returns:
        RankScores: ``mAP``, ``cmc``, ``mINP`` in [0, 1] and the ``valid`` queries.

    Raises:
        ValueError: If shapes do not fit, a distance is not finite or no query is valid.

    Examples:
        >>> scores = evaluate_rank([[0.2, 0.1]], [7], [7, 8], [0], [1, 1])
        >>> scores.mAP, scores.cmc[:2].tolist()
        (0.5, [0.0, 1.0])
    """
    labels = RankingLabels.check(q_pids, g_pids, q_camids, g_camids)
    distances = to_tensor(dist)
    expected = (len(labels.query_pids), len(labels.gallery_pids))
    if distances.shape != expected:
        raise ValueError(
            f'dist has shape {tuple(distances.shape)}, expected {expected} from q_pids and g_pids'
        )
    result = rank_chunks(_copies(distances), labels, max_rank)
    return RankScores(result.mAP, result.cmc, result.mINP, result.valid)


def _copies(distances: Tensor) -> Iterator[Tensor]:
    dtype = torch.float64 if distances.dtype == torch.float64 else torch.float32
    if not distances.is_floating_point():
        dtype = torch.float64
    for rows in row_chunks(*distances.shape):
        yield distances[rows].to(dtype, copy=True, memory_format=torch.contiguous_format)
