"""Checks of what is put into a gallery and asked of it."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from .gallery_record import FieldValue, GalleryRecord, SearchFilter

# What a record has besides its fields, under the names that databases keep it by.
RESERVED_NAMES = ('path', 'vector', 'cam_id', 'time', 'stamp')
_FIELD_NAME = re.compile('[A-Za-z_][A-Za-z0-9_]{0,63}')
_INT64 = 2**63
EVERYTHING = SearchFilter()


def unit_rows(features: np.ndarray, dim: int, names: Sequence[str] | None = None) -> np.ndarray:
    """Return features of length 1.

    Args:
        features (np.ndarray): ``(N, D)``, real.
        dim (int): D.
        names (Sequence[str], optional): What an error calls each. Defaults to its place.

    Returns:
        np.ndarray: ``(N, D)`` float32, C-contiguous.

    Raises:
        ValueError: When the shape differs, or a feature is not finite or zero.
    """
    features = np.asarray(features)
    if features.ndim != 2 or features.shape[1] != dim or features.dtype.kind not in 'fiu':
        raise ValueError(
            f'features have the shape {features.shape} and dtype {features.dtype}; expected are '
            f'numbers of the shape (N, {dim})'
        )
    lengths = np.sqrt(np.einsum('nd,nd->n', features, features, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        name = names[bad[0]] if names is not None else f'number {bad[0]}'
        raise ValueError(
            f'{len(bad)} features are not finite or zero, the first that of {name}: such a '
            'feature is like no other'
        )
    unit = np.empty(features.shape, np.float32)
    return np.divide(features, lengths[:, None], out=unit, casting='same_kind')


def check_records(records: Sequence[GalleryRecord], number: int) -> None:
    """Make sure that records can be kept.

    Args:
        records (Sequence[GalleryRecord]): They.
        number (int): How many features there are.

    Raises:
        ValueError: When there are not as many, a path is given twice, or an entry is not as
            :class:`GalleryRecord` says.
    """
    if len(records) != number:
        raise ValueError(f'{number} features, but {len(records)} records')
    for record in records:
        if problem := _problem(record):
            raise ValueError(f'record of {record.path!r}: {problem}')
    path, times = max(Counter(r.path for r in records).items(), key=lambda i: i[1], default=('', 1))
    if times > 1:
        raise ValueError(f'{path!r} is given {times} times: a gallery has an image once')


def check_new(known: Sequence[str]) -> None:
    """Raise an error when paths that are to be added are there already.

    Args:
        known (Sequence[str]): Those that are.

    Raises:
        ValueError: When there are any.
    """
    if known:
        raise ValueError(
            f'{len(known)} images are in the gallery already, such as {known[0]!r}: use update to '
            'replace them. Nothing was added'
        )


def _problem(record: GalleryRecord) -> str | None:
    """Return what is wrong with a record."""
    if not _is_text(record.path) or not record.path:
        return 'a path is text that is not empty, and what os.fsdecode may return'
    if not _is_text(record.stamp):
        return f'stamp is {record.stamp!r}, but must be text'
    if not _is_integer(record.cam_id) or record.cam_id < -1:
        return f'cam_id is {record.cam_id!r}, but must be a number from 0, or -1 for unknown'
    if record.time is not None and not _is_finite(record.time):
        return f'time is {record.time!r}, but must be a finite number of seconds, or None'
    return _field_problem(record.fields)


def _field_problem(fields: Mapping[str, FieldValue]) -> str | None:
    """Return what is wrong with names and values of fields."""
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name) or name in RESERVED_NAMES:
            return (
                f'a field is called {name!r}: a name has up to 64 ASCII letters, digits and '
                f'underscores, no digit first, and is none of {", ".join(RESERVED_NAMES)}'
            )
        if not _is_value(value):
            return (
                f'the field {name} is {value!r}, but must be text, a boolean, a finite number or '
                'an integer of 64 bits'
            )
    return None


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode('utf-8', 'surrogateescape') is not None
    except UnicodeEncodeError:
        return False


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and -_INT64 <= int(value) < _INT64


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(value)


def _is_value(value: FieldValue) -> bool:
    # Of numpy's types, JSON knows float64 alone, which is a float.
    if isinstance(value, int):
        return _is_integer(value)
    return isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


def spread_filters(
    where: SearchFilter | Sequence[SearchFilter | None] | None, number: int
) -> list[SearchFilter]:
    """Return the filter of each query.

    Args:
        where (SearchFilter | Sequence[SearchFilter | None], optional): That of all or of each.
        number (int): How many queries there are.

    Raises:
        ValueError: When there are not as many, or one asks for what no record can have.
    """
    if where is None or isinstance(where, SearchFilter):
        _check_filter(where or EVERYTHING)
        return [where or EVERYTHING] * number
    if len(where) != number:
        raise ValueError(f'{number} queries, but {len(where)} filters')
    filters = [own or EVERYTHING for own in where]
    for own in filters:
        _check_filter(own)
    return filters


def _check_filter(where: SearchFilter) -> None:
    for name in ('since', 'until'):
        value = getattr(where, name)
        if value is not None and not _is_finite(value):
            raise ValueError(
                f'{name} is {value!r}, but must be a finite number of seconds, or None'
            )
    for name in ('cameras', 'not_cameras'):
        if not all(map(_is_integer, getattr(where, name) or ())):
            raise ValueError(f'{name} is {getattr(where, name)!r}, but must hold integers')
    if problem := _field_problem(where.fields):
        raise ValueError(f'filter: {problem}')


def check_topk(topk: int) -> None:
    """Raise an error when there is nothing to search for.

    Args:
        topk (int): Images wanted for a query.

    Raises:
        ValueError: When it is less than 1.
    """
    if topk < 1:
        raise ValueError(f'topk is {topk}, but must be at least 1')
