"""What all benchmarks share: models, sides timed in turn, peak memory, and lines of a table."""

import argparse
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

from passreid.registry import MODELS
from passreid.utils import register_all_modules

CONFIGS = Path(__file__).parents[2] / 'configs'
SIDES = ('plain', 'ours')
WIDTH = 44
# Makes a work ready.
Build = Callable[..., Callable[[], object]]


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows the docstring of a program as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def build_model(config: str, device: str, options: dict[str, Any]) -> nn.Module:
    """Build the model of a recipe with entries overridden, with the same weights at each call."""
    MMLogger.get_current_instance().setLevel('WARNING')
    register_all_modules()
    torch.manual_seed(0)
    settings = Config(dict(Config.fromfile(CONFIGS / config).model, data_preprocessor=None))
    settings.merge_from_dict(options)
    model = MODELS.build(settings)
    model.init_weights()
    return model.train().to(device)


def best_rounds(
    works: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, tuple[float, Any]]:
    """Run all works in turn, under the same load; return seconds and outcome of each one's best."""
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


def check_agreement(what: str, difference: float, tolerance: float) -> None:
    """Print by how much the sides differ; raise an error when that is too much."""
    if not difference <= tolerance:
        raise RuntimeError(f'the sides differ: {what} by {difference:.1e}')
    print(f'{what}: the same on both sides (largest difference {difference:.0e})')


def print_head(note: str) -> None:
    """Print what the figures were measured with and the head of the table."""
    print(f'{torch.get_num_threads()} CPU threads, torch {torch.__version__}, {note}')
    print(f'{"":{WIDTH}}' + ''.join(f'{side:>10}' for side in SIDES) + f'{"ratio":>9}')


def print_row(title: str, figures: Mapping[str, float], form: str, by_plain: bool = False) -> None:
    """Print a figure of each side and their ratio: plain by ours (times), or ours by plain."""
    cells = (format(figures[side], form) if side in figures else '' for side in SIDES)
    line = f'{title:{WIDTH}}' + ''.join(f'{cell:>10}' for cell in cells)
    if len(figures) == len(SIDES) and all(figures.values()):
        ratio = figures['plain'] / figures['ours']
        line += f'{1 / ratio if by_plain else ratio:8.3g}x'
    print(line, flush=True)


def print_peaks(
    title: str,
    build: Build,
    sides: Mapping[str, tuple],
    device: str = 'cpu',
    whole: bool = False,
) -> None:
    """Print the MiB that each side's work adds; with ``whole`` those of ``build`` count, too."""
    peaks = {
        side: peak_memory(build, device, *args)[0 if whole else 1] / 2**20
        for side, args in sides.items()
    }
    print_row(f'{title}, peak MiB', peaks, '.0f', by_plain=True)


def peak_memory(build: Build, device: str, *args: Any) -> tuple[int, int]:
    """Return peak bytes of the work that ``build(*args)`` makes, in a process: whole, and added.

    On a GPU the figures are those of torch's allocator, on a CPU resident memory as Linux counts
    it, which also holds what libraries and the C allocator keep.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_measure, build, device, args).result()


def _measure(build: Build, device: str, args: tuple) -> tuple[int, int]:
    # The matrix library takes its work space with the first product.
    torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)
    empty = _memory(device)
    work = build(*args)
    built = _memory(device)
    # Building may have peaked higher than the work does.
    if device == 'cpu':
        with open('/proc/self/clear_refs', 'w') as file:
            file.write('5')
    else:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(2):
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
