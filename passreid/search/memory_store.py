"""Exact search in a gallery that this process holds."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from passreid.utils.device import array_device

from .local_store import LARGEST, LocalStore

# Of the products of queries and images that exist at a time: 64 MiB.
_PRODUCTS = 2**24
# More than float32 products of features of length 1 are wrong by.
_MARGIN = 1e-5
# Less than any cosine.
_LEAST = -2.0


class MemoryStore(LocalStore):
    """Every image is compared; exact, and the choice up to about a million images.

    Args:
        dim (int, optional): Length D of a feature. Defaults to that of the folder.
        model (str, optional): Fingerprint of the model. Defaults to that of the folder.
        folder (str | Path, optional): Where the gallery is kept, its features memory-mapped.
            Defaults to None: in memory.
        device (str | torch.device, optional): Where features are compared. An accelerator holds
            all features. Defaults to None: the accelerator where there is one.

    Raises:
        StaleGalleryError: When the folder has features of another model.
        ValueError: When it is no gallery, or is damaged.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.

    Examples:
        >>> import numpy as np
        >>> from passreid.search import GalleryRecord, SearchFilter
        >>> store = MemoryStore(2, 'a model')
        >>> store.add(np.eye(2), [GalleryRecord('a.jpg', cam_id=1), GalleryRecord('b.jpg')])
        >>> [match.record.path for match in store.search(np.array([[0.6, 0.8]]))[0]]
        ['b.jpg', 'a.jpg']
        >>> store.search(np.array([[0.6, 0.8]]), where=SearchFilter(cameras=[1]))[0][0].similarity
        0.6000000238418579
    """

    def __init__(
        self,
        dim: int | None = None,
        model: str | None = None,
        folder: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        super().__init__(dim, model, folder)
        self.device = torch.device(device or array_device())
        self._held: tuple[tuple, list[torch.Tensor]] = (), []

    def _nearest(
        self,
        queries: np.ndarray,
        topk: int,
        masks: Sequence[np.ndarray | None],
        excluded: Sequence[Sequence[int]],
    ) -> Iterator[np.ndarray]:
        blocks, number = self._on_device(), len(self._records)
        step = max(1, _PRODUCTS // max(1, number))
        for start in range(0, len(queries), step):
            own = slice(start, start + step)
            chunk = torch.from_numpy(queries[own]).to(self.device)
            products = [chunk @ block.T for block in blocks]
            scores = products[0] if len(products) == 1 else torch.cat(products, 1)
            self._check_products(scores)
            _forbid(scores, masks[own], excluded[own])
            last = scores.topk(min(topk, number)).values[:, -1:] if number else scores
            chosen = scores >= (last - _MARGIN).clamp(min=_LEAST)
            owners, rows = chosen.cpu().numpy().nonzero()
            yield from np.split(rows, np.bincount(owners, minlength=len(chunk)).cumsum()[:-1])

    def _check_products(self, scores: torch.Tensor) -> None:
        """Notice damaged features, which would be lost among the others or come first."""
        if not scores.numel():
            return
        least, most = torch.aminmax(scores)
        if not (least >= -LARGEST and most <= LARGEST):
            wrong = ~(scores.abs() <= LARGEST)
            raise self._damaged(int(wrong.any(0).nonzero()[0]))

    def _on_device(self) -> list[torch.Tensor]:
        """Return all features, which an accelerator keeps until rows are added or change places."""
        key = self._state.layout, len(self._records), len(self._blocks)
        if key != self._held[0] or self.device.type == 'cpu':
            blocks = [block for block in self._features if len(block)] or self._features[:1]
            self._held = key, [torch.from_numpy(block).to(self.device) for block in blocks]
        return self._held[1]


def _forbid(
    scores: torch.Tensor,
    masks: Sequence[np.ndarray | None],
    excluded: Sequence[Sequence[int]],
) -> None:
    """Give images that may not be found the worst score, in place."""
    for mask in {id(mask): mask for mask in masks if mask is not None}.values():
        rows = [row for row, own in enumerate(masks) if own is mask]
        forbidden = torch.from_numpy(~mask).to(scores.device)
        scores[rows] = scores[rows].masked_fill(forbidden, -torch.inf)
    for row, places in enumerate(excluded):
        scores[row, list(places)] = -torch.inf
