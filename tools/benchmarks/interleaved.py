"""Timing of several code paths against one another."""

import time
from collections.abc import Callable


def best_seconds(paths: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Run all paths in turn, so that they meet the same load, and return their best times.

    Args:
        paths (dict[str, Callable]): What to time; a path on a GPU must wait for its end itself.
        rounds (int): How often each runs.

    Returns:
        dict[str, float]: Seconds of the best round of each path.
    """
    seconds = dict.fromkeys(paths, float('inf'))
    for _ in range(rounds):
        for name, path in paths.items():
            start = time.perf_counter()
            path()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds
