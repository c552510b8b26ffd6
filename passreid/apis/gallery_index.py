"""Keeping the features of a gallery in step with its files."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from mmengine.logging import MMLogger

from passreid.datasets.storage.decoding import BadImageError, TooManyBadImagesError
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.search import Gallery, GalleryRecord

from .inference_pipeline import list_folder

# Files, or a folder of them.
Source = str | os.PathLike | Iterable[str | os.PathLike]
# Gives the record of a path, or all of them.
Records = Callable[[str], GalleryRecord] | Iterable[GalleryRecord]
# Places among the paths asked for, their features, and what could not be read by its place.
FeatureBatch = tuple[list[int], np.ndarray, dict[int, BadImageError]]

_MAX_BAD_SHARE = 0.5
_NAMES_LOGGED = 20
# Images that are written at a time: what an interruption can cost.
_IMAGES_PER_WRITE = 2048


@dataclass(frozen=True)
class IndexSummary:
    """What became of the images of a gallery.

    Attributes:
        added (int): New ones.
        updated (int): Those whose file or record has changed.
        deleted (int): Those whose file is gone or no longer readable.
        unchanged (int): Those that nothing was done about.
        failed (dict[str, str]): Why an image is not in the gallery, by its path.
    """

    added: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f'{self.added} added, {self.updated} updated, {self.deleted} deleted, '
            f'{self.unchanged} unchanged, {len(self.failed)} unreadable'
        )


def record_path(path: str | os.PathLike) -> str:
    """Return the path under which a gallery keeps a file: absolute, links of folders resolved."""
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    return os.path.join(os.path.realpath(folder), name)


def update_gallery(
    extract: Callable[[Sequence[str]], Iterator[FeatureBatch]],
    source: Source,
    gallery: Gallery,
    records: Records | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> IndexSummary:
    """Make a gallery hold the features of files as they are now; see :meth:`ReIDInferencer.index`.

    Only new and changed files are read: a record's stamp is the size and the time of the last
    change of its file, and a digest of what else the record says. Features are written every 2048
    images, so a later call goes on where an interrupted one was. Images whose file is gone from
    the source leave the gallery; those of other sources stay.
    """
    known = gallery.stamps()
    if isinstance(source, str | os.PathLike):
        folder = os.path.realpath(os.fsdecode(source))
        paths, inside = list_folder(folder), os.path.join(folder, '')
        known = {path: stamp for path, stamp in known.items() if path.startswith(inside)}
    else:
        paths = list(dict.fromkeys(map(record_path, source)))
        known = {path: known[path] for path in paths if path in known}
    record = _lookup(records)
    logger = MMLogger.get_current_instance()
    stamps: dict[str, str] = {}
    failed: dict[str, str] = {}
    for path in paths:
        try:
            stamps[path] = _stamp(os.stat(path), record(path))
        except OSError as error:
            if path not in known:
                failed[path] = error.strerror or str(error)
    deleted = gallery.delete(known.keys() - stamps.keys())
    todo = [path for path, stamp in stamps.items() if known.get(path) != stamp]
    progress = progress or ProgressLog('extracting features')
    names: list[str] = []
    waiting: list[np.ndarray] = []
    done = 0
    for rows, features, unreadable in extract(todo) if todo else ():
        names += [todo[row] for row in rows]
        waiting.append(features)
        for row, problem in unreadable.items():
            failed[todo[row]] = problem.reason
            if len(failed) <= _NAMES_LOGGED:
                logger.warning(f'{problem}; it is left out of the gallery')
        if len(failed) > _MAX_BAD_SHARE * len(paths):
            raise TooManyBadImagesError(
                f'{len(failed)} of {len(paths)} images cannot be read, the last one: '
                f'{next(reversed(failed))!r}. Is this the right folder?'
            )
        done += len(rows) + len(unreadable)
        if names and (len(names) >= _IMAGES_PER_WRITE or done == len(todo)):
            given = [replace(record(path), path=path, stamp=stamps[path]) for path in names]
            gallery.update(np.concatenate(waiting), given)
            names, waiting = [], []
        progress(done, len(todo))
    deleted += gallery.delete(failed.keys() & known.keys())
    if failed:
        logger.warning(
            f'{len(failed)} of {len(paths)} images cannot be read and are not in the gallery'
        )
    read = set(todo) - failed.keys()
    added, unchanged = len(read - known.keys()), len(stamps) - len(todo)
    return IndexSummary(added, len(read) - added, deleted, unchanged, failed)


def _lookup(records: Records | None) -> Callable[[str], GalleryRecord]:
    if records is None or callable(records):
        return records or GalleryRecord
    by_path = {record_path(record.path): record for record in records}
    return lambda path: by_path.get(path) or GalleryRecord(path)


def _stamp(stat: os.stat_result, record: GalleryRecord) -> str:
    stamp = f'{stat.st_size}-{stat.st_mtime_ns}'
    known = (record.cam_id, record.time, sorted(record.fields.items()))
    if known == (-1, None, []):
        return stamp
    return f'{stamp}-{hashlib.sha256(repr(known).encode()).hexdigest()[:8]}'
