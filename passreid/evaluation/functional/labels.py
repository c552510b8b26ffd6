"""Who is who: the identities and cameras of queries and gallery, and what they rule out."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.kernels import over_rows
from passreid.clustering.neighbors import check_features

from .kernels import remove_rows

UNKNOWN = -1


def check_pair(
    query_features: Any, gallery_features: Any, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Make float32 matrices ``(Q, D)`` and ``(G, D)`` on one device; see :func:`check_features`."""
    query = check_features('query_features', query_features, device)
    gallery = check_features('gallery_features', gallery_features, device or query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f'query_features have {query.shape[1]} dimensions, gallery_features {gallery.shape[1]}'
        )
    return query, gallery


@dataclass(frozen=True)
class RankingLabels:
    """Identities and cameras of Q queries and G gallery items, all int64."""

    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_cam_ids: np.ndarray  # -1 where unknown
    gallery_cam_ids: np.ndarray
    same_image: np.ndarray  # (Q,): item that is the same image as the query, -1 for none
    # Items by identity: those of the identity of query q are items[first[q]:last[q]], ascending.
    items: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def check(
        cls, q_pids: Any, g_pids: Any, q_camids: Any, g_camids: Any, same_image: Any = None
    ) -> 'RankingLabels':
        """Make labels of any sequences of integers that fit together."""
        query_pids, gallery_pids = _integers('q_pids', q_pids), _integers('g_pids', g_pids)
        if same_image is None:
            same_image = np.full(len(query_pids), UNKNOWN)
        query_cam_ids = _integers('q_camids', q_camids, len(query_pids))
        gallery_cam_ids = _integers('g_camids', g_camids, len(gallery_pids))
        same_image = _integers('same_image', same_image, len(query_pids))
        if same_image.min() < UNKNOWN or same_image.max() >= len(gallery_pids):
            raise ValueError(f'same_image holds neither -1 nor one of {len(gallery_pids)} items')
        items = np.argsort(gallery_pids, kind='stable')
        ends = (np.searchsorted(gallery_pids[items], query_pids, s) for s in ('left', 'right'))
        labels = query_pids, gallery_pids, query_cam_ids, gallery_cam_ids
        return cls(*labels, same_image, items, *ends)

    def rows(self, rows: slice) -> 'RankingLabels':
        """Labels of some of the queries."""
        names = 'query_pids', 'query_cam_ids', 'same_image', 'first', 'last'
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def of_items(self, items: np.ndarray) -> 'RankingLabels':
        """Labels with some items as the gallery; ``same_image`` is left out, as after removal."""
        cam_ids = self.query_cam_ids, self.gallery_cam_ids[items]
        return self.check(self.query_pids, self.gallery_pids[items], *cam_ids)

    def same_identity(self, device: torch.device) -> Tensor:
        """Which pairs ``(Q, G)`` have one identity."""
        query, gallery = (
            torch.as_tensor(pids, device=device) for pids in (self.query_pids, self.gallery_pids)
        )
        return gallery == query[:, None]

    def remove_(self, distances: Tensor, first_row: int) -> None:
        """Set distances ``(Q, G)`` of what does not count for a query to infinity, in place.

        This is the same identity under the same camera, where both cameras are known, and the
        image of the query itself. Messages count rows from ``first_row`` on.

        Raises:
            ValueError: If a distance is not finite.
        """
        if distances.device.type == 'cpu':
            finite = torch.empty(len(distances), dtype=torch.bool)
            labels = self.query_cam_ids, self.gallery_cam_ids, self.same_image, finite.numpy()
            pairs = self.items, self.first, self.last
            over_rows(remove_rows, len(distances), distances.numpy(), *pairs, *labels)
        else:
            finite = self.remove_on_device_(distances)
        if not finite.all():
            row = first_row + int(finite.int().argmin())
            raise ValueError(
                f'the distances of query {row} are not all finite: look for nan, inf or very '
                'large values in the features'
            )

    def remove_on_device_(self, distances: Tensor) -> Tensor:
        """Remove where the distances are, and return which rows ``(Q,)`` were finite before."""
        device = distances.device
        finite = distances.isfinite().all(1)
        cameras, same_image = (
            torch.as_tensor(values, device=device)[:, None]
            for values in (self.query_cam_ids, self.same_image)
        )
        out = self.same_identity(device) & (cameras != UNKNOWN)
        out &= torch.as_tensor(self.gallery_cam_ids, device=device) == cameras
        out |= torch.arange(distances.shape[1], device=device) == same_image
        distances.masked_fill_(out, torch.inf)
        return finite


def _integers(name: str, values: Any, number: int | None = None) -> np.ndarray:
    array = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1 or not array.size or number not in (None, len(array)):
        expected = 'one for each image' if number is None else f'({number},)'
        raise ValueError(f'{name} has shape {array.shape}, expected {expected}')
    if array.dtype.kind not in 'iu':
        raise TypeError(f'{name} holds {array.dtype}, expected integers')
    return np.ascontiguousarray(array, dtype=np.int64)
