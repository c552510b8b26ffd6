"""Queries that may find the same images."""

from collections.abc import Sequence

from .gallery_record import FieldValue, SearchFilter


def condition_key(where: SearchFilter) -> tuple:
    """Return what filters with the same conditions have in common; ``not_paths`` is none.

    Args:
        where (SearchFilter): The filter.

    Returns:
        tuple: To be compared and hashed.
    """
    cameras = None if where.cameras is None else frozenset(where.cameras)
    fields = frozenset((name, *_typed(value)) for name, value in where.fields.items())
    return cameras, frozenset(where.not_cameras), where.since, where.until, fields


def group_filters(filters: Sequence[SearchFilter]) -> list[list[int]]:
    """Group queries by their conditions; ``not_paths`` is none.

    Args:
        filters (Sequence[SearchFilter]): That of each query.

    Returns:
        list[list[int]]: Places of the queries of each group.
    """
    groups: dict[tuple, list[int]] = {}
    for place, where in enumerate(filters):
        groups.setdefault(condition_key(where), []).append(place)
    return list(groups.values())


def _typed(value: FieldValue) -> tuple[bool, FieldValue]:
    """Tell True from 1, which Python takes for equal."""
    return isinstance(value, bool), value
