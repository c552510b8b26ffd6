"""The interface of galleries: what is known about an image, and what a search may ask for."""

import math
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FieldValue = str | int | float | bool
_COLUMNS = ('path', 'vector', 'cam_id', 'time', 'stamp')


@dataclass(frozen=True)
class GalleryRecord:
    """An image of a gallery.

    Attributes:
        path (str): The image; the key of the record, unique in its gallery.
        cam_id (int): Its camera, -1 when unknown.
        time (float, optional): When it was taken, in seconds since any start that all images of
            the gallery share, such as that of Unix. None when unknown.
        fields (Mapping): Whatever else there is to know: text, numbers and booleans by name. A
            name is an identifier in ASCII and has values of one kind in the whole gallery.
        stamp (str): Tells a changed file from the one whose feature is kept; '' for none.
    """

    path: str
    cam_id: int = -1
    time: float | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    stamp: str = ''

    def __post_init__(self) -> None:
        if not self.path or self.cam_id < -1 or not math.isfinite(self.time or 0):
            raise ValueError(f'{self}: path is empty, cam_id less than -1, or time not finite')
        _check_fields(self.fields)


@dataclass(frozen=True)
class Match:
    """An image of a gallery that was found.

    Attributes:
        record (GalleryRecord): The image.
        similarity (float): Cosine of its feature and that of the query, in [-1, 1].
    """

    record: GalleryRecord
    similarity: float

    def to_dict(self) -> dict[str, Any]:
        """Return ``path``, ``similarity``, ``cam_id``, ``time`` and ``fields``, fit for JSON."""
        entries = dict(vars(self.record), similarity=self.similarity)
        return {name: value for name, value in entries.items() if name != 'stamp'}


@dataclass(frozen=True)
class SearchFilter:
    """Which images of a gallery a search may find; all conditions must hold.

    An image whose camera or time is unknown fulfils no condition that asks for one, and is never
    left out by ``not_cameras``.

    Attributes:
        cameras (Collection[int], optional): Cameras to search; None for all.
        not_cameras (Collection[int]): Cameras to leave out, such as that of the query.
        since (float, optional): Earliest time, in seconds, itself included.
        until (float, optional): Latest time, in seconds, itself included.
        not_paths (Collection[str]): Images to leave out, such as the query itself.
        fields (Mapping): Fields that must be there and equal these values.
    """

    cameras: Collection[int] | None = None
    not_cameras: Collection[int] = ()
    since: float | None = None
    until: float | None = None
    not_paths: Collection[str] = ()
    fields: Mapping[str, FieldValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_fields(self.fields)

    def conditions(self) -> Iterator[tuple[str, str, Any]]:
        """Yield columns or fields, operators and values to check; not those of ``not_paths``."""
        if self.cameras is not None:
            yield 'cam_id', 'in', [int(camera) for camera in self.cameras if camera != -1]
        if self.not_cameras:
            yield 'cam_id', 'not in', [int(camera) for camera in self.not_cameras if camera != -1]
        if self.since is not None:
            yield 'time', '>=', float(self.since)
        if self.until is not None:
            yield 'time', '<=', float(self.until)
        for name, value in self.fields.items():
            yield name, '==', value


class StaleGalleryError(ValueError):
    """A gallery holds features of another model, or of another length."""


class Gallery(AbstractContextManager):
    """Features of images with a record each, searched by cosine similarity.

    A gallery belongs to one model, since features of two cannot be compared. What a method has
    changed lasts once it returns. Use it in a ``with`` statement, which closes it.

    Attributes:
        dim (int): Length D of a feature.
        model (str): Fingerprint of the model.
        where (str): The place, as messages name it.

    Raises:
        StaleGalleryError: When it has features of another model.
        FileNotFoundError: When there is none, and ``dim`` or ``model`` is not given.
    """

    dim: int
    model: str

    def __init__(
        self, where: str, kept: tuple[int, str] | None, dim: int | None, model: str | None
    ) -> None:
        self.where = where
        if kept is None and (dim is None or model is None):
            raise FileNotFoundError(
                f'there is no gallery in {where} yet: index images first, or give its dim and model'
            )
        self.dim, self.model = kept or (dim, model)  # type: ignore[assignment]
        self.check_model(dim, model)

    def check_model(self, dim: int | None, model: str | None) -> None:
        """Raise :class:`StaleGalleryError` unless features are those of a model; None is any."""
        for kept, given in ((self.dim, dim), (self.model, model)):
            if given is not None and given != kept:
                raise StaleGalleryError(
                    f'the gallery {self.where} is that of another model: {str(kept)[:12]} there, '
                    f'but {str(given)[:12]} here. Weights, config, transforms or flip have '
                    'changed: index the images into another gallery, or delete this one'
                )

    @abstractmethod
    def __len__(self) -> int:
        """Return how many images there are."""

    @abstractmethod
    def stamps(self) -> dict[str, str]:
        """Return the stamp of each image by its path."""

    def add(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Add images.

        Args:
            features (np.ndarray): ``(N, D)`` float32 of any length; kept with length 1.
            records (Sequence[GalleryRecord]): Of these N images.

        Raises:
            ValueError: When shapes do not fit, a feature is not finite or zero, or a path is given
                twice or is there already (nothing is added then).
        """
        self._write(self._unit(features, records), records, replace=False)

    def update(self, features: np.ndarray, records: Sequence[GalleryRecord]) -> None:
        """Replace images, or add those that are not there; see :meth:`add`."""
        self._write(self._unit(features, records), records, replace=True)

    @abstractmethod
    def delete(self, paths: Iterable[str]) -> int:
        """Take images out; return how many of them were there."""

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
            list[list[Match]]: For each query, most similar first; of equal similarity in the order
            of their paths.
        """
        queries = self._unit(features)
        if where is None or isinstance(where, SearchFilter):
            where = [where] * len(queries)
        if topk < 1 or len(where) != len(queries):
            raise ValueError(f'topk is {topk}; {len(queries)} queries, {len(where)} filters')
        filters = [own or SearchFilter() for own in where]
        # More are asked for than wanted: what to leave out is another one for each query.
        number = topk + max((len(own.not_paths) for own in filters), default=0)
        least = -math.inf if min_similarity is None else min_similarity
        found = self._nearest(queries, number, filters) if len(queries) else []
        for place, (matches, own) in enumerate(zip(found, filters, strict=True)):
            kept = [match for match in matches if match.record.path not in own.not_paths]
            kept.sort(key=lambda match: (-match.similarity, match.record.path))
            found[place] = [match for match in kept[:topk] if match.similarity >= least]
        return found

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def __exit__(self, *error) -> None:
        self.close()

    @abstractmethod
    def _write(self, unit: np.ndarray, records: Sequence[GalleryRecord], replace: bool) -> None:
        """Write images, or nothing when one is there and is not to be replaced."""

    @abstractmethod
    def _nearest(
        self, queries: np.ndarray, number: int, filters: Sequence[SearchFilter]
    ) -> list[list[Match]]:
        """Find the most similar images for each query, at least so many, in any order."""

    def _unit(
        self, features: np.ndarray, records: Sequence[GalleryRecord] | None = None
    ) -> np.ndarray:
        """Return features of length 1 after a look at them and at their records."""
        features = np.asarray(features)
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f'features have the shape {features.shape}, not (N, {self.dim})')
        names = [r.path for r in records] if records is not None else range(len(features))
        if not len(set(names)) == len(names) == len(features):
            raise ValueError(f'{len(features)} features of {len(set(names))} images: an image each')
        lengths = np.sqrt(np.einsum('nd,nd->n', features, features, dtype=np.float64))
        if len(bad := np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))):
            raise ValueError(f'feature of {names[bad[0]]}: it is not finite, or zero')
        unit = np.empty(features.shape, np.float32)
        return np.divide(features, lengths[:, None], out=unit, casting='same_kind')

    def _already(self, path: str) -> ValueError:
        return ValueError(f'{path} is in {self.where} already: use update to replace images')


def _check_fields(fields: Mapping[str, FieldValue]) -> None:
    """Make sure that names can stand in expressions of stores, and values in JSON."""
    for name, value in fields.items():
        is_name = name.isascii() and name.isidentifier() and name not in _COLUMNS
        is_value = isinstance(value, str | int) or isinstance(value, float) and math.isfinite(value)
        if not is_name or not is_value:
            raise ValueError(
                f'field {name!r} is {value!r}: a name has ASCII letters, digits and underscores '
                f'and is none of {", ".join(_COLUMNS)}, a value is text, a boolean or a number'
            )
