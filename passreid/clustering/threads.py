"""Work on rows, shared out among threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

PIECES_PER_THREAD = 4


def over_rows(kernel: Callable[..., Any], num_rows: int, *args: Any) -> None:
    """Call ``kernel(start, stop, *args)`` for pieces of the rows, as many at a time as torch would.

    Plain threads instead of numba's own: those abort when two of them meet or after a fork.

    Args:
        kernel (Callable): Compiled with ``nogil=True``; writes its result to rows of its arguments.
        num_rows (int): How many rows there are.
        *args: Given to each call.
    """
    threads = min(torch.get_num_threads(), num_rows)
    if threads <= 1:
        kernel(0, num_rows, *args)
        return
    pieces = min(threads * PIECES_PER_THREAD, num_rows)
    bounds = [num_rows * piece // pieces for piece in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda start, stop: kernel(start, stop, *args), bounds[:-1], bounds[1:]))
