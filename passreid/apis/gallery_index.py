"""Keeping the features of a gallery in step with its files."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from mmengine.logging import MMLogger

from passreid.datasets.bad_images import BadImageError, TooManyBadImagesError
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.search import GalleryRecord, GalleryStore

from .image_inputs import list_folder

# Gives the record of a path, or all of them; see :func:`update_gallery`.
Records = Callable[[str], GalleryRecord] | Iterable[GalleryRecord]
# Places among the paths asked for, their features, and what could not be read by its place.
FeatureBatch = tuple[list[int], np.ndarray, dict[int, BadImageError]]
Extract = Callable[[Sequence[str]], Iterator[FeatureBatch]]
Progress = Callable[[int, int], object]

_MAX_BAD_SHARE = 0.5
_NAMES_LOGGED = 20
# Images between two times that the store is written: what an interruption can cost.
_IMAGES_PER_WRITE = 2048
# Replacing images may mean to write the whole store, so more of them are written at a time.
_SHARE_PER_REPLACEMENT = 1 / 16


@dataclass(frozen=True)
class IndexSummary:
    """What became of the images of a gallery.

    Attributes:
        added (int): New ones.
        updated (int): Those whose file or record has changed.
        deleted (int): Those whose file is gone, or has changed and can no longer be read.
        unchanged (int): Those that nothing was done about.
        failed (dict[str, str]): Why an image could not be read, by its path; it is not in the
            gallery.
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
    extract: Extract,
    source: str | os.PathLike | Iterable[str | os.PathLike],
    store: GalleryStore,
    records: Records | None = None,
    progress: Progress | None = None,
) -> IndexSummary:
    """Make a store hold the features of files as they are now.

    Only new and changed files are read: a record's stamp is the size and the time of the last
    change of its file, and a digest of what else the record says. Features are written every 2048
    images, those that replace others every sixteenth of the store, so a later call goes on where
    an interrupted one was.

    Args:
        extract (Callable): Yields features of paths in batches.
        source (str | Path | Iterable): A folder, whose images in the store that are gone are
            deleted; or files, of which the same holds. Other images of the store stay.
        store (GalleryStore): Where features go.
        records (Callable | Iterable, optional): Cameras, times and fields: a function from the
            path of an image to its record, or records; path and stamp are filled in. Defaults to
            None, which means that nothing is known.
        progress (Callable, optional): Called with the number of images read and of those to read.
            Defaults to None, a line in the log every 20 seconds.

    Returns:
        IndexSummary: What was done.

    Raises:
        FileNotFoundError: When there is no such folder.
        ValueError: When there are no images in it.
        TooManyBadImagesError: When more than half of all images cannot be read.
    """
    paths, is_own = _list_source(source)
    lookup = _lookup(records)
    known = {path: stamp for path, stamp in store.stamps().items() if is_own(path)}
    stamps: dict[str, str] = {}
    failed: dict[str, BadImageError] = {}
    for path in paths:
        try:
            stamps[path] = _stamp(os.stat(path), lookup(path))
        except OSError as error:
            if path not in known:
                failed[path] = BadImageError(path, error.strerror or str(error))
    deleted = store.delete(known.keys() - stamps.keys())
    new = [path for path in stamps if path not in known]
    todo = new + [path for path, stamp in stamps.items() if known.get(path, stamp) != stamp]
    batches = _Writer(
        store, known, lambda path: replace(lookup(path), path=path, stamp=stamps[path])
    )
    progress = progress or ProgressLog('extracting features')
    done = 0
    for rows, features, unreadable in extract(todo) if todo else ():
        batches.add([todo[row] for row in rows], features)
        for row, problem in unreadable.items():
            failed[todo[row]] = problem
            _report(failed, problem, len(paths))
        done += len(rows) + len(unreadable)
        progress(done, len(todo))
    batches.write()
    deleted += store.delete(failed.keys() & known.keys())
    store.flush()
    if failed:
        MMLogger.get_current_instance().warning(
            f'{len(failed)} of {len(paths)} images cannot be read and are not in the gallery'
        )
    return IndexSummary(
        batches.added,
        batches.updated,
        deleted,
        len(stamps) - len(todo),
        {path: error.reason for path, error in failed.items()},
    )


class _Writer:
    """Collects features and writes them now and then."""

    def __init__(
        self, store: GalleryStore, known: dict[str, str], record: Callable[[str], GalleryRecord]
    ) -> None:
        self.store, self.known, self.record = store, known, record
        self.paths: list[str] = []
        self.features: list[np.ndarray] = []
        self.added = self.updated = 0

    def add(self, paths: list[str], features: np.ndarray) -> None:
        self.paths += paths
        self.features.append(features)
        due = _IMAGES_PER_WRITE
        if self.paths[-1:] and self.paths[-1] in self.known:
            due = max(due, round(_SHARE_PER_REPLACEMENT * len(self.store)))
        if len(self.paths) >= due:
            self.write()

    def write(self) -> None:
        if not self.paths:
            return
        features = np.concatenate(self.features)
        changed = np.array([path in self.known for path in self.paths])
        for rows, put in ((~changed, self.store.add), (changed, self.store.update)):
            if rows.any():
                put(features[rows], [self.record(self.paths[row]) for row in np.flatnonzero(rows)])
        self.store.flush()
        self.updated += int(changed.sum())
        self.added += int((~changed).sum())
        self.paths, self.features = [], []


def _list_source(
    source: str | os.PathLike | Iterable[str | os.PathLike],
) -> tuple[list[str], Callable[[str], bool]]:
    """Return the files, and what tells which images of a store are theirs."""
    if not isinstance(source, str | os.PathLike):
        paths = list(dict.fromkeys(map(record_path, source)))
        return paths, set(paths).__contains__
    folder = os.path.realpath(source)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {os.fsdecode(source)} of images')
    return list_folder(folder), lambda path: path.startswith(os.path.join(folder, ''))


def _lookup(records: Records | None) -> Callable[[str], GalleryRecord]:
    if records is None:
        return GalleryRecord
    if callable(records):
        return records
    by_path = {record_path(record.path): record for record in records}
    return lambda path: by_path.get(path) or GalleryRecord(path)


def _stamp(stat: os.stat_result, record: GalleryRecord) -> str:
    stamp = f'{stat.st_size}-{stat.st_mtime_ns}'
    known = (record.cam_id, record.time, sorted(record.fields.items()))
    if known == (-1, None, []):
        return stamp
    return f'{stamp}-{hashlib.sha256(repr(known).encode()).hexdigest()[:8]}'


def _report(failed: dict[str, BadImageError], error: BadImageError, total: int) -> None:
    """Log an image that cannot be read; raise when it is one too many."""
    logger = MMLogger.get_current_instance()
    if len(failed) <= _NAMES_LOGGED:
        last = '; further ones are only counted' if len(failed) == _NAMES_LOGGED else ''
        logger.warning(f'{error}; it is left out of the gallery{last}')
    if len(failed) > _MAX_BAD_SHARE * total:
        raise TooManyBadImagesError(
            f'{len(failed)} of {total} images of the gallery cannot be read, the last one: '
            f'{error}. Is this the right folder?'
        )
