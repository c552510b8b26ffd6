"""Arrays that rows are added to."""

import numpy as np


class GrowingArray:
    """Rows in one piece of memory, to which adding is cheap.

    Args:
        rows (np.ndarray): The first ones, which can be written to; taken over without a copy.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self._memory = rows
        self._length = len(rows)

    def __len__(self) -> int:
        return self._length

    @property
    def rows(self) -> np.ndarray:
        """All rows; a view, which no longer changes when more are added."""
        return self._memory[: self._length]

    def extend(self, rows: np.ndarray) -> None:
        """Add rows behind the last.

        Args:
            rows (np.ndarray): Of the same shape and dtype; the first ones are taken over
                without a copy.
        """
        if not self._length:
            self._memory, self._length = rows, len(rows)
            return
        needed = self._length + len(rows)
        if needed > len(self._memory):
            larger = np.empty((max(needed, 2 * self._length), *rows.shape[1:]), rows.dtype)
            larger[: self._length] = self.rows
            self._memory = larger
        self._memory[self._length : needed] = rows
        self._length = needed
