"""What all benchmarks share: sides timed in turn, peak memory, and the lines of a table."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch

SIDES = ('plain', 'ours')
WIDTH = 44


def best_rounds(
    works: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, tuple[float, Any]]:
    """Run all works in turn, so that they meet the same load.

    Args:
        works (Mapping[str, Callable]): What to time by its name; what runs on a GPU must wait for
            its end itself.
        rounds (int): How often each runs.

    Returns:
        dict[str, tuple[float, Any]]: Seconds and outcome of the best round of each.
    """
    best: dict[str, tuple[float, Any]] = {}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            outcome = work()
            seconds = time.perf_counter() - start
            if name not in best or seconds < best[name][0]:
                best[name] = seconds, outcome
    return best


def best_seconds(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the seconds alone of :func:`best_rounds`."""
    return {name: seconds for name, (seconds, _) in best_rounds(works, rounds).items()}


def print_head(note: str) -> None:
    """Print what the figures were measured with and the head of the table."""
    print(f'{torch.get_num_threads()} CPU threads, torch {torch.__version__}, {note}')
    print(f'{"":{WIDTH}}' + ''.join(f'{side:>10}' for side in SIDES) + f'{"ratio":>9}')


def print_row(title: str, figures: Mapping[str, float], form: str, less: bool = False) -> None:
    """Print a figure of each side and, where there are both, their ratio.

    Args:
        title (str): Figure and unit.
        figures (Mapping[str, float]): By side.
        form (str): Format of a figure.
        less (bool): How much as large ours is instead of how many times as fast, which is plain by
            ours.
    """
    cells = (format(figures[side], form) if side in figures else '' for side in SIDES)
    line = f'{title:{WIDTH}}' + ''.join(f'{cell:>10}' for cell in cells)
    if len(figures) == len(SIDES) and all(figures.values()):
        ratio = figures['plain'] / figures['ours']
        line += f'{1 / ratio if less else ratio:8.3g}x'
    print(line, flush=True)


def print_peaks(
    title: str, build: Callable[..., Callable[[], object]], sides: Mapping[str, tuple]
) -> None:
    """Print the MiB that the work of each side, with these arguments of ``build``, adds."""
    peaks = {
        side: peak_memory(build, 'cpu', *args, rounds=1)[1] / 2**20 for side, args in sides.items()
    }
    print_row(title, peaks, '.0f', less=True)


def peak_memory(
    build: Callable[..., Callable[[], object]], device: str, *args: Any, rounds: int = 2
) -> tuple[int, int]:
    """Measure the work that ``build(*args)`` returns, in a fresh process.

    On a GPU the figures are those of torch's allocator, on a CPU resident memory as Linux counts
    it, which also holds what libraries and the C allocator keep.

    Args:
        build (Callable): Function of a module that makes everything ready and returns the work.
        device (str): Where it runs.
        *args: Of ``build``; they must be picklable.
        rounds (int): How often the work runs.

    Returns:
        tuple[int, int]: Bytes at the peak: all since before ``build``, and what the work itself
        adds to the state that ``build`` left.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_measure, build, device, args, rounds).result()


def _measure(
    build: Callable[..., Callable[[], object]], device: str, args: tuple, rounds: int
) -> tuple[int, int]:
    if device != 'cpu':
        # The matrix library takes its work space with the first product.
        square = torch.ones(8, 8, device=device)
        square @ square
    empty = _memory(device)
    work = build(*args)
    built = _memory(device)
    # Building may have peaked higher than the work does.
    if device == 'cpu':
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
    else:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(rounds):
        work()
    peak = _memory(device, peak=True)
    return peak - empty, peak - built


def _memory(device: str, peak: bool = False) -> int:
    if device != 'cpu':
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith('VmHWM' if peak else 'VmRSS'))
    return int(line.split()[1]) * 1024
