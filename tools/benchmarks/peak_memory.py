"""Peak memory of a piece of work, measured in a process of its own."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch


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
) -> tuple:
    current, peak = (_gpu_current, _gpu_peak) if device != 'cpu' else (_cpu_current, _cpu_peak)
    if device != 'cpu':
        # The matrix library takes its work space with the first product.
        square = torch.ones(8, 8, device=device)
        square @ square
    empty = current()
    work = build(*args)
    built = current()
    _reset_peak(device)
    for _ in range(rounds):
        work()
    return peak() - empty, peak() - built


def _reset_peak(device: str) -> None:
    if device != 'cpu':
        torch.cuda.reset_peak_memory_stats()
        return
    # Building may have peaked higher than the work does.
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


def _gpu_current() -> int:
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated()


def _gpu_peak() -> int:
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def _cpu_current() -> int:
    return _process_status('VmRSS')


def _cpu_peak() -> int:
    return _process_status('VmHWM')


def _process_status(key: str) -> int:
    with open('/proc/self/status') as file:
        line = next(line for line in file if line.startswith(key))
    return int(line.split()[1]) * 1024
