"""Where the features of a gallery are kept and searched."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from .gallery_record import GalleryRecord, Match, SearchFilter


class GalleryStore(ABC):
    """Features of images, searched by cosine similarity.

    A store belongs to one model: features of two cannot be compared. It is a context manager
    that closes itself.

    Args:
        dim (int): Length D of a feature.
        model (str): Fingerprint of the model and of how images are prepared for it.

    Raises:
        ValueError: When ``dim`` is less than 1 or ``model`` is empty.
    """

    def __init__(self, dim: int, model: str) -> None:
        if dim < 1 or not model:
            raise ValueError(
                f'a gallery needs the length of a feature, but got {dim}, and the fingerprint of '
                f'its model, but got {model!r}'
            )
        self.dim = dim
        self.model = model

    @abstractmethod
    def __len__(self) -> int:
        """Return how many images there are."""

    @abstractmethod
    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""

    @abstractmethod
    def add(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Add images.

        Args:
            features (np.ndarray): ``(N, D)`` float32 of any length; kept with length 1.
            records (Sequence[GalleryRecord]): Of these N images.

        Raises:
            ValueError: When shapes do not fit, a feature is not finite or zero, a record is not
                as :class:`GalleryRecord` says, or a path is given twice or is there already
                (nothing is added then).
        """

    @abstractmethod
    def update(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Replace images, or add those that are not there; see :meth:`add`."""

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> int:
        """Take images out.

        Args:
            paths (Iterable[str]): Which; one that is not there is no error.

        Returns:
            int: How many were there.
        """

    @abstractmethod
    def search(
        self,
        features: np.ndarray,
        topk: int = 10,
        where: SearchFilter | Sequence[SearchFilter | None] | None = None,
        min_similarity: float | None = None,
    ) -> list[list[Match]]:
        """Find the images most like each query.

        Args:
            features (np.ndarray): Queries ``(Q, D)`` float32, of any length.
            topk (int): At most so many images a query. Defaults to 10.
            where (SearchFilter | Sequence[SearchFilter | None], optional): What may be found, for
                all queries or for each. Defaults to everything.
            min_similarity (float, optional): What is less similar is left out. Defaults to None.

        Returns:
            list[list[Match]]: For each query, most similar first; fewer than ``topk`` when there
            are not so many.

        Raises:
            ValueError: When shapes do not fit, a feature is not finite or zero, or ``topk`` is
                less than 1.
        """

    @abstractmethod
    def flush(self) -> None:
        """Make what was changed last beyond the end of the process."""

    def close(self) -> None:
        """Flush, and let go of files and connections."""
        self.flush()

    def __enter__(self) -> 'GalleryStore':
        return self

    def __exit__(self, *error) -> None:
        self.close()
