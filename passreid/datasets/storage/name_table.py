"""Millions of names in two arrays, made once and kept until their source changes."""

import hashlib
import json
import os
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock
from mmengine.logging import print_log
from platformdirs import user_cache_path

from passreid.utils.messages import printable

from .image_files import scan_folder, stamp

_PROGRESS_EVERY = 500_000


class NameTable(Sequence):
    """A read-only list of names in memory-mapped files that all processes share.

    The names stand one after the other in ``<prefix>.names.npy``; ``<prefix>.ends.npy`` says where
    each ends. A pickled table is the path of its files.
    """

    def __init__(self, prefix: str, rows: range | None = None) -> None:
        self.prefix = prefix
        self._ends = np.load(f'{prefix}.ends.npy', mmap_mode='r')
        self._blob = np.load(f'{prefix}.names.npy', mmap_mode='r')
        self._rows = range(len(self._ends)) if rows is None else rows

    @staticmethod
    def write(prefix: str, names: Iterable[str]) -> int:
        """Write the files of a table, if there are names, and return how many names there are."""
        blob, ends = bytearray(), array('q')
        for name in names:
            blob += os.fsencode(name)
            ends.append(len(blob))
            if len(ends) % _PROGRESS_EVERY == 0:
                print_log(f'{len(ends)} images found so far', 'current')
        if ends:
            np.save(f'{prefix}.names.npy', np.frombuffer(blob, np.uint8))
            np.save(f'{prefix}.ends.npy', np.frombuffer(ends, np.int64))
        return len(ends)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index):
        """A name, or the table of a slice of the names."""
        if isinstance(index, slice):
            return NameTable(self.prefix, self._rows[index])
        row = int(self._rows[index])
        start = int(self._ends[row - 1]) if row else 0
        return os.fsdecode(self._blob[start : int(self._ends[row])].tobytes())

    def __reduce__(self):
        return NameTable, (self.prefix, self._rows)


def cache_folder(root: str | os.PathLike) -> Path:
    """Return the folder in the user's cache for what is computed from images; made when missing."""
    path = os.path.realpath(root)
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = user_cache_path('passreid') / f'{os.path.basename(path)[:50]}-{digest}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached_names(
    source: str, read: Callable[[str], Iterable[str]] | None = None, rescan: bool = False
) -> NameTable:
    """Return the names in a folder of images, or those that ``read`` finds in a file.

    They come from :func:`cache_folder` if the source has not changed. A lock lets one process do
    the work while others, such as ranks, wait. A new table never overwrites one that is in use.
    """
    asked = time.time_ns()
    folder = cache_folder(source)
    with FileLock(folder / 'names.lock'):
        try:
            state = json.loads((folder / 'names.json').read_text())
            # Another process may have listed them while this one waited for the lock.
            recent = not rescan or state['finished'] > asked
            if recent and all(stamp(path) == old for path, old in state['stamps'].items()):
                return NameTable(str(folder / state['table']))
        except (OSError, EOFError, ValueError, LookupError, TypeError):
            pass  # There is no list yet, or its source or itself was deleted or damaged.
        print_log(f'Listing the images of {printable(source)}; this happens once', 'current')
        # Stamped first: a change while the names are read makes the list stale.
        stamps = {source: stamp(source)}
        table = f'names-{asked:x}'
        names = read(source) if read else scan_folder(source, stamps)
        if not (count := NameTable.write(str(folder / table), names)):
            raise ValueError(f'no images found in {source}')
        state = dict(source=source, table=table, finished=time.time_ns(), stamps=stamps)
        (folder / 'names.tmp').write_text(json.dumps(state))
        os.replace(folder / 'names.tmp', folder / 'names.json')
        for old in folder.glob('names-*.npy'):
            # Who has an old table mapped keeps it: its files only lose their names.
            if not old.name.startswith(table):
                old.unlink()
        print_log(f'{count} images listed; their names are kept in {folder}', 'current')
        return NameTable(str(folder / table))
