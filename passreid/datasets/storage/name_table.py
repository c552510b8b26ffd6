"""Millions of names in two arrays."""

import os
from array import array
from collections.abc import Iterable, Sequence

import numpy as np

_PARTS = ('ends', 'names')


class NameTable(Sequence):
    """A read-only list of names, held in two memory-mapped files.

    The names stand one after the other in a uint8 array; a second, int64 array says where each
    ends. All processes that open the same files share one copy in memory, and a pickled table
    (workers started by spawn) is the paths of its files.

    Args:
        prefix (str): Path that :meth:`write` returned.
        rows (Sequence[int], optional): Which names, in which order. Defaults to all.
    """

    def __init__(self, prefix: str, rows: Sequence[int] | np.ndarray | None = None) -> None:
        self.prefix = prefix
        self._ends = np.load(f'{prefix}.ends.npy', mmap_mode='r')
        self._blob = np.load(f'{prefix}.names.npy', mmap_mode='r')
        self._rows = range(len(self._ends)) if rows is None else rows

    @staticmethod
    def write(prefix: str, names: Iterable[str]) -> int:
        """Write the two files of a table.

        Args:
            prefix (str): Path without the endings ``.names.npy`` and ``.ends.npy``.
            names (Iterable[str]): The names; a generator is read once.

        Returns:
            int: How many names there were; if none, nothing is written.
        """
        blob, ends = bytearray(), array('q')
        for name in names:
            blob += os.fsencode(name)
            ends.append(len(blob))
        if not ends:
            return 0
        np.save(f'{prefix}.names.npy', np.frombuffer(blob, np.uint8))
        np.save(f'{prefix}.ends.npy', np.frombuffer(ends, np.int64))
        return len(ends)

    @staticmethod
    def is_sound(prefix: str) -> bool:
        """Whether there are two files of a table that fit each other.

        Args:
            prefix (str): As for :meth:`write`.
        """
        files = [f'{prefix}.{part}.npy' for part in _PARTS]
        if not all(map(os.path.isfile, files)):
            return False
        try:
            ends, blob = (np.load(file, mmap_mode='r') for file in files)
        # Damaged files make numpy raise nearly anything.
        except Exception:
            return False
        if (ends.dtype, blob.dtype, ends.ndim, blob.ndim) != (np.int64, np.uint8, 1, 1):
            return False
        rising = len(ends) and ends[0] >= 0 and bool((ends[1:] >= ends[:-1]).all())
        return bool(rising and ends[-1] == len(blob))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index):
        """A name, or the table of a slice of the names."""
        if isinstance(index, slice):
            return NameTable(self.prefix, self._rows[index])
        row = int(self._rows[index])
        start = int(self._ends[row - 1]) if row else 0
        return os.fsdecode(self._blob[start : int(self._ends[row])].tobytes())

    def take(self, indices: Sequence[int]) -> 'NameTable':
        """The table of some of the names.

        Args:
            indices (Sequence[int]): Which, in which order.
        """
        rows = np.asarray(self._rows)[np.asarray(indices, dtype=np.int64)]
        return NameTable(self.prefix, rows)

    def __reduce__(self):
        return NameTable, (self.prefix, self._rows)
