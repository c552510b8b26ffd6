"""Work on rows, shared out among threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

PIECES_PER_THREAD = 4


def over_rows(kernel: Callable[..., Any], num_rows: int, *args: Any) -> list:
    """Call ``kernel(start, stop, *args)`` for pieces of the rows, as many at a time as torch would.

    Plain threads instead of numba's own: those abort when two of them meet or after a fork.

    Args:
        kernel (Callable): Compiled with ``nogil=True``.
        num_rows (int): How many rows there are.
        *args: Given to each call.

    Returns:
        list: What the calls returned, in the order of the rows.
    """
    threads = max(min(torch.get_num_threads(), num_rows), 1)
    pieces = min(threads * PIECES_PER_THREAD, num_rows) if threads > 1 else 1
    bounds = [num_rows * piece // pieces for piece in range(pieces + 1)]
    if pieces == 1:
        return [kernel(0, num_rows, *args)]
    with ThreadPoolExecutor(threads) as pool:
        calls = [
            pool.submit(kernel, start, stop, *args)
            for start, stop in zip(bounds[:-1], bounds[1:], strict=True)
        ]
        return [call.result() for call in calls]
