"""Many texts in little memory."""

from collections.abc import Iterable, Iterator

import numpy as np

from .growing_array import GrowingArray


class TextColumn:
    """Texts as bytes one behind the other; a list of them would take several times the memory.

    Texts may hold bytes that are no UTF-8, as paths do that :func:`os.fsdecode` has read.

    Args:
        characters (np.ndarray): ``(bytes,)`` uint8, of all texts.
        ends (np.ndarray): ``(N,)`` int64, where each ends.
    """

    def __init__(self, characters: np.ndarray, ends: np.ndarray) -> None:
        self._characters = GrowingArray(characters)
        self._ends = GrowingArray(ends)

    @classmethod
    def of(cls, texts: Iterable[str]) -> 'TextColumn':
        """Make a column of texts."""
        encoded = [text.encode('utf-8', 'surrogateescape') for text in texts]
        characters = np.frombuffer(bytearray(b''.join(encoded)), np.uint8)
        ends = np.fromiter(map(len, encoded), np.int64, len(encoded)).cumsum()
        return cls(characters, ends)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """What :class:`TextColumn` is made of."""
        return self._characters.rows, self._ends.rows

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        ends = self._ends.rows
        start = ends[row - 1] if row else 0
        return _decode(self._characters.rows[start : ends[row]].tobytes())

    def __iter__(self) -> Iterator[str]:
        characters, start = self._characters.rows.tobytes(), 0
        for end in self._ends.rows.tolist():
            yield _decode(characters[start:end])
            start = end

    def extend(self, other: 'TextColumn') -> None:
        """Add the texts of another column behind the last."""
        characters, ends = other.arrays
        self._ends.extend(ends + len(self._characters))
        self._characters.extend(characters)

    def take(self, rows: np.ndarray) -> 'TextColumn':
        """Return a column of some of the texts.

        Args:
            rows (np.ndarray): Their places.
        """
        return TextColumn.of([self[row] for row in rows.tolist()])


def _decode(text: bytes) -> str:
    return text.decode('utf-8', 'surrogateescape')
