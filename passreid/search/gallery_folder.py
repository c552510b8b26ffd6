"""The files of a gallery."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from .record_table import RecordTable

FORMAT_VERSION = 1
_STATE, _LOCK = 'gallery.json', 'gallery.lock'
_FEATURES, _RECORDS = 'features.npy', 'records.npz'
_PART, _INDEX, _UNFINISHED = 'part-', 'index-', 'unfinished-'
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class GalleryState:
    """What of the files counts.

    Attributes:
        dim (int): Length of a feature.
        model (str): Fingerprint of the model.
        parts (tuple[str, ...]): Folders that hold features and records, in the order of the rows.
        layout (int): Changes when rows change places.
        index (str, optional): The faiss index that is made for these features.
    """

    dim: int
    model: str
    parts: tuple[str, ...] = ()
    layout: int = 0
    index: str | None = None


class GalleryFolder:
    """Reads and writes the files of a gallery.

    Features and records are in parts that never change: one with the rows that were added is
    written under another name, renamed, and counts once ``gallery.json``, which is replaced as a
    whole, names it. So there is a complete gallery at any time, whatever happens to the process,
    and who reads an older one keeps it. One process at a time writes.

    Args:
        path (str | Path): The folder. It is made when something is written.

    Raises:
        ValueError: When it holds something else.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        # A store may be handed from one thread to another.
        self._lock = FileLock(self.path / _LOCK, thread_local=False)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f'{self.path} is a file: a gallery needs a folder')
        names = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        ours = (_PART, _INDEX, _UNFINISHED, _LOCK)
        strange = sorted(name for name in names if not name.startswith(ours))
        if _STATE not in names and strange:
            raise ValueError(
                f'{self.path} is no gallery: it holds {strange[0]}. Name a new or an empty folder'
            )

    def read(self) -> GalleryState | None:
        """Return what counts, or None when nothing was written yet.

        Raises:
            ValueError: When the file is damaged, or of a newer version.
        """
        file = self.path / _STATE
        if not file.exists():
            return None
        try:
            entries = json.loads(file.read_text(encoding='utf-8'))
            version = entries.pop('version')
            if version == FORMAT_VERSION:
                return _checked(GalleryState(**dict(entries, parts=tuple(entries['parts']))))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f'{file} is damaged ({error!r}): {self._remedy}') from error
        raise ValueError(f'{file} has the format {version}, but {FORMAT_VERSION} is known: update')

    def open_features(self, name: str) -> np.ndarray:
        """Return the features of a part, memory-mapped.

        Args:
            name (str): Its name.

        Raises:
            FileNotFoundError: When it is no longer there.
            ValueError: When it is damaged.
        """
        # Torch wants memory that may be written to; what is written stays in this process.
        load = partial(np.load, mmap_mode='c', allow_pickle=False)
        return self._read_file(load, self.path / name / _FEATURES)

    def open_part(self, name: str, dim: int) -> tuple[np.ndarray, RecordTable]:
        """Return the features, memory-mapped, and the records of a part.

        Args:
            name (str): Its name.
            dim (int): Length of a feature.

        Raises:
            FileNotFoundError: When it is no longer there.
            ValueError: When it is damaged.
        """
        features = self.open_features(name)
        records = self._read_file(RecordTable.load, self.path / name / _RECORDS)
        if features.shape != (len(records), dim) or features.dtype != np.float32:
            raise ValueError(
                f'{self.path / name} is damaged: features {features.shape} {features.dtype} of '
                f'{len(records)} images, {dim} values each: {self._remedy}'
            )
        return features, records

    def write_part(self, blocks: Iterable[np.ndarray], dim: int, records: RecordTable) -> str:
        """Write a part that does not count yet.

        Args:
            blocks (Iterable[np.ndarray]): Features, some rows at a time.
            dim (int): Length of a feature.
            records (RecordTable): Of all these rows.

        Returns:
            str: Its name.
        """
        taken = [path.name.removeprefix(_PART) for path in self.path.glob(f'{_PART}*')]
        name = f'{_PART}{max((int(n) for n in taken if n.isdecimal()), default=0) + 1:06}'
        folder = self.path / f'{_UNFINISHED}{name}'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shape = (len(records), dim)
        features = np.lib.format.open_memmap(folder / _FEATURES, 'w+', np.float32, shape)
        start = 0
        for block in blocks:
            features[start : start + len(block)] = block
            start += len(block)
        records.save(folder / _RECORDS)
        for file in (_FEATURES, _RECORDS):
            _reach_disk(folder / file)
        folder.rename(self.path / name)
        return name

    def index_file(self, state: GalleryState) -> Path:
        """Return where the faiss index of a state is kept."""
        kind = ''.join(char if char.isalnum() else '_' for char in state.index or '')
        return self.path / f'{_INDEX}{state.layout:06}-{kind}.faiss'

    def commit(self, state: GalleryState) -> None:
        """Make a state count, and remove what then no longer does.

        Args:
            state (GalleryState): Its parts are written.
        """
        unfinished = self.path / f'{_UNFINISHED}{_STATE}'
        entries = dict(version=FORMAT_VERSION, **asdict(state))
        unfinished.write_text(json.dumps(entries, indent=1), encoding='utf-8')
        _reach_disk(unfinished)
        unfinished.replace(self.path / _STATE)
        kept = {*state.parts, self.index_file(state).name}
        for path in self.path.iterdir():
            if path.name.startswith((_PART, _INDEX, _UNFINISHED)) and path.name not in kept:
                # Who has an old part mapped keeps it: its files only lose their names.
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def lock(self) -> None:
        """Let no other process write until :meth:`unlock`.

        Raises:
            TimeoutError: When another one does not stop writing within ten seconds.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise TimeoutError(
                f'the gallery {self.path} is being changed by another process or store: wait '
                'until it is done, or close it'
            ) from None

    def unlock(self) -> None:
        """Let others write."""
        self._lock.release()

    def _read_file(self, read: Callable[[Path], Any], file: Path) -> Any:
        try:
            return read(file)
        except FileNotFoundError:
            raise
        except Exception as error:
            # Damaged files make the readers raise nearly anything.
            raise ValueError(f'{file} is damaged ({error!r}): {self._remedy}') from error

    @property
    def _remedy(self) -> str:
        return f'delete {self.path} and index the images anew'


def _checked(state: GalleryState) -> GalleryState:
    """Return a state that was read, whose entries become names of files."""
    names = (*state.parts, state.model, *([] if state.index is None else [state.index]))
    if not all(isinstance(name, str) for name in names):
        raise ValueError('parts, model and index must be text')
    if not all(re.fullmatch(f'{_PART}[0-9]+', part) for part in state.parts):
        raise ValueError(f'parts are {state.parts}, but are called {_PART}NUMBER')
    if len(set(state.parts)) < len(state.parts):
        raise ValueError(f'parts are {state.parts}, but each counts once')
    if not (type(state.dim) is int and state.dim > 0 and type(state.layout) is int):
        raise ValueError(f'dim is {state.dim!r} and layout {state.layout!r}, but must be numbers')
    return state


def _reach_disk(file: Path) -> None:
    with file.open('rb') as opened:
        os.fsync(opened.fileno())
