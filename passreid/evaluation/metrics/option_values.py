"""Values of options in a config."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def read_options(
    name: str, value: bool | Mapping[str, Any] | None, function: Callable
) -> dict[str, Any] | None:
    """Read an option that switches something on and may set its parameters.

    Args:
        name (str): How messages call it.
        value (bool | Mapping, optional): True for the defaults, or parameters; False or None for
            off.
        function (Callable): Its parameters with numbers as defaults are those that can be set.

    Returns:
        dict | None: The parameters that were set, or None when it is off.

    Raises:
        ValueError: When a parameter is unknown.
    """
    if value is None or isinstance(value, bool):
        return {} if value else None
    known = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if isinstance(parameter.default, int | float)
    ]
    if unknown := sorted(set(value) - set(known)):
        raise ValueError(f'{name} has unknown entries {unknown}; known are {known}')
    return dict(value)


def scientific(value: float) -> str:
    """Write a number shortly with a power of ten: 0.0001 as '1e-4'."""
    mantissa, exponent = f'{value:e}'.split('e')
    return f'{float(mantissa):g}e{int(exponent)}'
