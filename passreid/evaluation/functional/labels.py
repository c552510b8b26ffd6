"""Who is who: the identities and cameras of queries and gallery, and what they rule out."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from passreid.clustering.threads import over_rows

from .rank_kernels import remove_rows

UNKNOWN = -1


class SameIdentity(NamedTuple):
    """Gallery items by identity: those of query ``q`` are ``items[first[q]:last[q]]``, ascending.

    Args:
        items (np.ndarray): ``(G,)`` int64.
        first (np.ndarray): ``(Q,)`` int64.
        last (np.ndarray): ``(Q,)`` int64.
    """

    items: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def find(cls, query_pids: np.ndarray, gallery_pids: np.ndarray) -> 'SameIdentity':
        """Sort the gallery by identity once."""
        items = np.argsort(gallery_pids, kind='stable')
        pids = gallery_pids[items]
        first, last = (np.searchsorted(pids, query_pids, side) for side in ('left', 'right'))
        return cls(items, first, last)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of one identity: queries ``(P,)`` and gallery items ``(P,)``."""
        counts = self.last - self.first
        ends = np.cumsum(counts)
        places = np.arange(counts.sum()) + np.repeat(self.first - ends + counts, counts)
        return np.repeat(np.arange(len(counts)), counts), self.items[places]


@dataclass(frozen=True)
class RankingLabels:
    """Identities and cameras of queries and gallery.

    Args:
        query_pids (np.ndarray): ``(Q,)`` int64.
        gallery_pids (np.ndarray): ``(G,)`` int64.
        query_cam_ids (np.ndarray): ``(Q,)`` int64, -1 where unknown.
        gallery_cam_ids (np.ndarray): ``(G,)`` int64, -1 where unknown.
        same_image (np.ndarray): ``(Q,)`` int64: gallery item that is the same image as the query,
            -1 for none.
        same_identity (SameIdentity): Gallery items of the identity of each query.
    """

    query_pids: np.ndarray
    gallery_pids: np.ndarray
    query_cam_ids: np.ndarray
    gallery_cam_ids: np.ndarray
    same_image: np.ndarray
    same_identity: SameIdentity

    @classmethod
    def check(
        cls, q_pids: Any, g_pids: Any, q_camids: Any, g_camids: Any, same_image: Any = None
    ) -> 'RankingLabels':
        """Make labels of any sequences of integers.

        Raises:
            ValueError: If lengths differ, a side is empty or ``same_image`` leaves the gallery.
            TypeError: If something is not an integer.
        """
        query_pids, gallery_pids = _integers('q_pids', q_pids), _integers('g_pids', g_pids)
        query_cam_ids = _integers('q_camids', q_camids)
        gallery_cam_ids = _integers('g_camids', g_camids)
        num_queries, num_items = len(query_pids), len(gallery_pids)
        if same_image is None:
            same_image = np.full(num_queries, UNKNOWN)
        same_image = _integers('same_image', same_image)
        for name, values, of, number in (
            ('q_camids', query_cam_ids, 'q_pids', num_queries),
            ('g_camids', gallery_cam_ids, 'g_pids', num_items),
            ('same_image', same_image, 'q_pids', num_queries),
        ):
            if len(values) != number:
                raise ValueError(f'{name} has {len(values)} values, {of} has {number}')
        for name, number in (('q_pids', num_queries), ('g_pids', num_items)):
            if not number:
                raise ValueError(f'{name} is empty: there is nothing to rank')
        outside = (same_image < UNKNOWN) | (same_image >= num_items)
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(
                f'same_image[{row}] is {same_image[row]}: expected -1 or the index of one of '
                f'{num_items} gallery items'
            )
        return cls(
            query_pids,
            gallery_pids,
            query_cam_ids,
            gallery_cam_ids,
            same_image,
            SameIdentity.find(query_pids, gallery_pids),
        )

    def rows(self, rows: slice) -> 'RankingLabels':
        """Labels of some of the queries."""
        items, first, last = self.same_identity
        return replace(
            self,
            query_pids=self.query_pids[rows],
            query_cam_ids=self.query_cam_ids[rows],
            same_image=self.same_image[rows],
            same_identity=SameIdentity(items, first[rows], last[rows]),
        )

    def items(self, items: np.ndarray) -> 'RankingLabels':
        """Labels with some items as the gallery; ``same_image`` is left out, as after removal."""
        gallery_pids = self.gallery_pids[items]
        return replace(
            self,
            gallery_pids=gallery_pids,
            gallery_cam_ids=self.gallery_cam_ids[items],
            same_image=np.full_like(self.same_image, UNKNOWN),
            same_identity=SameIdentity.find(self.query_pids, gallery_pids),
        )

    def remove_(self, distances: Tensor, first_row: int) -> None:
        """Set what does not count for a query to infinity, in place.

        This is the same identity under the same camera, where both cameras are known, and the
        image of the query itself.

        Args:
            distances (Tensor): ``(Q, G)``.
            first_row (int): Number of the first row in messages.

        Raises:
            ValueError: If a distance is not finite.
        """
        if distances.device.type == 'cpu':
            finite = torch.empty(len(distances), dtype=torch.bool)
            over_rows(
                remove_rows,
                len(distances),
                distances.numpy(),
                *self.same_identity,
                self.query_cam_ids,
                self.gallery_cam_ids,
                self.same_image,
                finite.numpy(),
            )
        else:
            finite = self.remove_on_device_(distances)
        if not finite.all():
            row = first_row + int(finite.logical_not().int().argmax())
            raise ValueError(
                f'the distances of query {row} are not all finite: look for nan, inf or very '
                'large values in the features'
            )

    def remove_on_device_(self, distances: Tensor) -> Tensor:
        """Remove where the distances are, and return which rows ``(Q,)`` were finite before."""
        finite = distances.isfinite().all(1)
        device = distances.device
        pids, cameras, same_image = (
            torch.as_tensor(values, device=device)[:, None]
            for values in (self.query_pids, self.query_cam_ids, self.same_image)
        )
        out = torch.as_tensor(self.gallery_pids, device=device) == pids
        out &= torch.as_tensor(self.gallery_cam_ids, device=device) == cameras
        out &= cameras != UNKNOWN
        out |= torch.arange(distances.shape[1], device=device) == same_image
        distances.masked_fill_(out, torch.inf)
        return finite


def _integers(name: str, values: Any) -> np.ndarray:
    array = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f'{name} has shape {array.shape}, expected one value for each image')
    if array.size and array.dtype.kind not in 'iu':
        raise TypeError(f'{name} holds {array.dtype}, expected integers')
    return np.ascontiguousarray(array, dtype=np.int64)
