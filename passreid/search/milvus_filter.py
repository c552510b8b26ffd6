"""Filters as expressions of Milvus."""

from collections.abc import Collection, Iterable

from .gallery_record import FieldValue, SearchFilter

# What both kinds of servers take for something else inside double quotes. Milvus reads Go's
# escapes (https://milvus.io/docs/boolean.md), milvus-lite no others than these; it knows no
# templates either, which would spare this.
_ESCAPES = str.maketrans({'\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t'})


def literal(value: FieldValue) -> str:
    r"""Write a value so that an expression reads it as that value and nothing else.

    Args:
        value (FieldValue): Text, number or boolean.

    Examples:
        >>> literal('it is "1"')
        '"it is \\"1\\""'
    """
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    return f'"{value.translate(_ESCAPES)}"'


def any_of(name: str, values: Iterable[FieldValue]) -> str:
    """Return the expression that a scalar is one of these values.

    Args:
        name (str): Name of the scalar in the schema.
        values (Iterable[FieldValue]): Which.
    """
    return f'{name} in [{", ".join(map(literal, values))}]'


def filter_expression(where: SearchFilter) -> str | None:
    """Return the conditions of a filter; ``not_paths`` is none of them.

    Args:
        where (SearchFilter): The filter, of which :func:`spread_filters` has checked the names.

    Returns:
        str | None: An expression, '' for no conditions; None when nothing can fulfil them.

    Examples:
        >>> filter_expression(SearchFilter(not_cameras=[3], since=10.5, fields=dict(rain=True)))
        'cam_id not in [3] and time >= 10.5 and $meta["rain"] == true'
    """
    parts = []
    if where.cameras is not None:
        if not (cameras := _known(where.cameras)):
            return None
        parts.append(any_of('cam_id', cameras))
    if cameras := _known(where.not_cameras):
        parts.append(any_of('cam_id not', cameras))
    # An unknown time is null, which fulfils no comparison.
    if where.since is not None:
        parts.append(f'time >= {literal(float(where.since))}')
    if where.until is not None:
        parts.append(f'time <= {literal(float(where.until))}')
    parts += [f'$meta["{name}"] == {literal(value)}' for name, value in where.fields.items()]
    return ' and '.join(parts)


def _known(cameras: Collection[int]) -> list[int]:
    """Leave out the number that stands for an unknown camera."""
    return [int(camera) for camera in cameras if camera != -1]
