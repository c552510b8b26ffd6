"""Scores for each pair of a query camera and a gallery camera."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .labels import RankingLabels
from .row_scores import score_rows


class CameraTable(NamedTuple):
    """Scores in [0, 1] when the gallery holds the images of one camera; nan without valid query.

    Args:
        query_cam_ids (np.ndarray): ``(A,)`` int64, ascending.
        gallery_cam_ids (np.ndarray): ``(B,)`` int64, ascending.
        mAP (np.ndarray): ``(A, B)`` float64.
        rank1 (np.ndarray): ``(A, B)`` float64.
    """

    query_cam_ids: np.ndarray
    gallery_cam_ids: np.ndarray
    mAP: np.ndarray  # noqa: N815
    rank1: np.ndarray


class CameraScores:
    """Collects the scores of queries against each camera of the gallery.

    Args:
        labels (RankingLabels): Of all queries and the gallery.
    """

    def __init__(self, labels: RankingLabels) -> None:
        self.query_cam_ids = labels.query_cam_ids
        self.gallery_cam_ids = np.unique(labels.gallery_cam_ids)
        self.items = [np.flatnonzero(labels.gallery_cam_ids == c) for c in self.gallery_cam_ids]
        self.labels = [labels.items(items) for items in self.items]
        self.average_precision: list[np.ndarray] = []
        self.found_first: list[np.ndarray] = []

    def add(self, distances: Tensor, rows: slice) -> None:
        """Score the next queries.

        Args:
            distances (Tensor): ``(R, G)``, infinite where an item does not count.
            rows (slice): Which queries they are.
        """
        scores = []
        for items, labels in zip(self.items, self.labels, strict=True):
            chosen = torch.as_tensor(items, device=distances.device)
            scores.append(score_rows(distances.index_select(1, chosen), labels.rows(rows)))
        self.average_precision.append(np.stack([s.average_precision for s in scores], 1))
        self.found_first.append(np.stack([s.first_hit_rank == 1 for s in scores], 1))

    def table(self) -> CameraTable:
        """Average over the queries of each camera."""
        average_precision = np.concatenate(self.average_precision)
        valid = ~np.isnan(average_precision)
        query_cam_ids, camera = np.unique(self.query_cam_ids, return_inverse=True)
        of_camera = np.eye(len(query_cam_ids))[:, camera]
        number = of_camera @ valid
        number[number == 0] = np.nan
        return CameraTable(
            query_cam_ids,
            self.gallery_cam_ids,
            of_camera @ np.where(valid, average_precision, 0) / number,
            of_camera @ np.concatenate(self.found_first) / number,
        )
