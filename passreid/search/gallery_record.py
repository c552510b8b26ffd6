"""What a gallery knows about an image, and what a search may ask for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

FieldValue = str | int | float | bool


@dataclass(frozen=True)
class GalleryRecord:
    """An image of a gallery.

    Attributes:
        path (str): The image; the key of the record, unique in its gallery.
        cam_id (int): Its camera, -1 when unknown.
        time (float, optional): When it was taken, in seconds since any start that all images of
            the gallery share, such as that of Unix. None when unknown.
        fields (Mapping): Whatever else there is to know: text, numbers and booleans by name. Names
            are made of ASCII letters, digits and underscores, and a name has values of one kind
            in the whole gallery.
        stamp (str): Tells a changed file from the one whose feature is kept; '' for none.
    """

    path: str
    cam_id: int = -1
    time: float | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    stamp: str = ''


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
        record = self.record
        return dict(
            path=record.path,
            similarity=self.similarity,
            cam_id=record.cam_id,
            time=record.time,
            fields=dict(record.fields),
        )


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
