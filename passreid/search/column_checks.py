"""Checks of the columns of a gallery that were read from a file."""

from collections.abc import Mapping

import numpy as np

from .gallery_record import FieldValue

_TEXTS = (('paths', 'path_ends'), ('stamps', 'stamp_ends'))


def check_columns(arrays: Mapping[str, np.ndarray], values: Mapping[str, list[FieldValue]]) -> None:
    """Make sure that the columns are those of one table.

    Args:
        arrays (Mapping[str, np.ndarray]): What ``records.npz`` holds.
        values (Mapping[str, list[FieldValue]]): The distinct values of each field.

    Raises:
        ValueError: When one has another type or length, or points to what is not there.
    """
    number = len(arrays['path_ends'])
    for characters, ends in _TEXTS:
        _check(characters, arrays[characters], np.uint8)
        _check(ends, arrays[ends], np.int64, number)
        found = arrays[ends]
        if number and (np.diff(found, prepend=0).min() < 0 or found[-1] > len(arrays[characters])):
            raise ValueError(f'{ends} does not divide {characters}')
    _check('cam_ids', arrays['cam_ids'], np.int64, number)
    _check('times', arrays['times'], np.float64, number)
    if not isinstance(values, dict) or not all(isinstance(v, list) for v in values.values()):
        raise ValueError('values is no dict of lists')
    if len(arrays['codes']) != len(values):
        raise ValueError(f'{len(values)} fields, but codes of {len(arrays["codes"])}')
    for (name, known), codes in zip(values.items(), arrays['codes'], strict=True):
        _check(f'codes of {name}', codes, np.int32, number)
        if not all(isinstance(value, str | int | float) for value in known):
            raise ValueError(f'values of {name} are neither text nor numbers')
        if number and not -1 <= codes.min() <= codes.max() < len(known):
            raise ValueError(f'codes of {name} name values that are not there')


def _check(name: str, array: np.ndarray, dtype: type, length: int | None = None) -> None:
    expected = array.shape[:1] if length is None else (length,)
    if array.dtype != dtype or array.shape != expected:
        raise ValueError(
            f'{name} is {array.dtype} of shape {array.shape}, expected is {np.dtype(dtype)} of '
            f'shape {expected or (0,)}'
        )
