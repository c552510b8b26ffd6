"""A field of all records of a gallery."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from .gallery_record import FieldValue
from .growing_array import GrowingArray

_MISSING = -1


class FieldColumn:
    """The values of a field as codes of its distinct values.

    Args:
        values (Sequence[FieldValue]): The distinct ones; 1, 1.0 and True are three.
        codes (np.ndarray): ``(N,)`` int32, place of the value of each record; -1 for none.
    """

    def __init__(self, values: Sequence[FieldValue], codes: np.ndarray) -> None:
        self.values = list(values)
        self._codes = GrowingArray(codes)

    @classmethod
    def of(cls, values: Iterable[FieldValue | None]) -> 'FieldColumn':
        """Make a column of values, None for the records that do not have the field."""
        column = cls([], np.empty(0, np.int32))
        column._codes.extend(np.array([column._encode(value) for value in values], np.int32))
        return column

    @property
    def codes(self) -> np.ndarray:
        """``(N,)`` int32."""
        return self._codes.rows

    def extend(self, other: 'FieldColumn') -> None:
        """Add the values of another column behind the last."""
        # The last entry is that of the code -1.
        codes = [self._encode(value) for value in other.values] + [_MISSING]
        self._codes.extend(np.array(codes, np.int32)[other.codes])

    def __getitem__(self, row: int) -> FieldValue | None:
        code = int(self.codes[row])
        return None if code == _MISSING else self.values[code]

    def equal(self, value: FieldValue) -> np.ndarray:
        """Return which records have a value.

        Args:
            value (FieldValue): 1 and 1.0 are equal, True is neither.

        Returns:
            np.ndarray: ``(N,)`` bool.
        """
        kinds = (int, float) if _key(value)[0] in (int, float) else (_key(value)[0],)
        codes = [self._code[kind, value] for kind in kinds if (kind, value) in self._code]
        return np.isin(self.codes, codes)

    def take(self, rows: np.ndarray) -> 'FieldColumn':
        """Return a column of some of the records.

        Args:
            rows (np.ndarray): Their places.
        """
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        number_missing = int(np.count_nonzero(used == _MISSING))
        values = [self.values[code] for code in used[number_missing:].tolist()]
        return FieldColumn(values, (codes - number_missing).astype(np.int32))

    @cached_property
    def _code(self) -> dict[tuple[type, FieldValue], int]:
        # Made when it is needed: to open a gallery and show its records it is not.
        return {_key(value): code for code, value in enumerate(self.values)}

    def _encode(self, value: FieldValue | None) -> int:
        """Return the code of a value, a new one if need be."""
        if value is None:
            return _MISSING
        code = self._code.setdefault(_key(value), len(self.values))
        if code == len(self.values):
            self.values.append(value)
        return code


def _key(value: FieldValue) -> tuple[type, FieldValue]:
    """Tell values apart that Python takes for equal."""
    kinds = (bool, int, float, str)
    return next(kind for kind in kinds if isinstance(value, kind)), value
