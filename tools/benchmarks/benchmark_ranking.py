"""Compare evaluation and re-ranking with plain compositions on dense matrices.

(a) Evaluation at the size of Market-1501, from features to mAP, CMC and mINP; the plain
composition sorts the whole matrix of distances. (b) k-reciprocal re-ranking of 1000 x 8000 images;
the plain one holds matrices of all pairs. Both sides run in turn in one process, and first it is
checked that they give the same numbers. Peak memory is what the work adds to the features, measured
in a process for each figure. ``--msmt17`` also measures ours at the size of MSMT17.

Example:
    python tools/benchmarks/benchmark_ranking.py --msmt17
"""

import argparse
import time

import numpy as np
import torch
from interleaved import best_seconds
from peak_memory import peak_memory
from ranking_sides import MARKET, MSMT, RE_RANKED, Setting, build_work

TOLERANCE = 5e-6


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=5, help='the best of this many counts')
    parser.add_argument(
        '--msmt17', action='store_true', help='also run ours at the size of MSMT17 (minutes)'
    )
    return parser.parse_args()


def difference(setting: Setting, part: str) -> float:
    """Compare the numbers of both sides.

    Args:
        setting (Setting): What is ranked.
        part (str): ``'evaluation'`` or ``'re-ranking'``.

    Returns:
        float: The largest difference.

    Raises:
        RuntimeError: When they differ.
    """
    plain, ours = (build_work(setting, side, part)() for side in ('plain', 'ours'))
    if part == 'evaluation':
        pairs = [(plain[name], ours[name]) for name in ('mAP', 'cmc', 'mINP')]
    else:
        pairs = [(plain, ours)]
    largest = max(float(np.abs(its - mine).max()) for its, mine in pairs)
    if not largest < TOLERANCE:
        raise RuntimeError(f'the sides differ: {part} by {largest:.1e}')
    return largest


def compare(setting: Setting, part: str, rounds: int) -> None:
    """Print times and memory of both sides and their ratios."""
    title = f'{part} {setting.queries} x {setting.gallery}'
    works = {side: build_work(setting, side, part) for side in ('plain', 'ours')}
    seconds = best_seconds(works, rounds)
    del works
    plain, ours = seconds['plain'], seconds['ours']
    print(f'{title + ", s":44}{plain:10.2f}{ours:10.2f}{plain / ours:8.2f}x', flush=True)
    plain, ours = (
        peak_memory(build_work, 'cpu', setting, side, part)[1] / 2**20 for side in ('plain', 'ours')
    )
    print(f'{title + ", peak MiB":44}{plain:10.0f}{ours:10.0f}{ours / plain:8.3f}x', flush=True)


def measure(setting: Setting, part: str) -> None:
    """Print time and memory of ours."""
    title = f'{part} {setting.queries} x {setting.gallery}'
    work = build_work(setting, 'ours', part)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    del work
    print(f'{title + ", s":44}{"":10}{seconds:10.1f}', flush=True)
    peak = peak_memory(build_work, 'cpu', setting, 'ours', part, rounds=1)[1] / 2**20
    print(f'{title + ", peak MiB":44}{"":10}{peak:10.0f}', flush=True)


def main() -> None:
    """Check both sides, then print times, memory and their ratios."""
    args = parse_args()
    parts = {'evaluation': MARKET, 're-ranking': RE_RANKED}
    for part, setting in parts.items():
        print(f'{part}: the same numbers (largest difference {difference(setting, part):.0e})')
    print(
        f'{torch.get_num_threads()} CPU threads, torch {torch.__version__}, '
        f'{MARKET.dims} dimensions, float32'
    )
    print(f'{"":44}{"plain":>10}{"ours":>10}{"ratio":>9}')
    for part, setting in parts.items():
        compare(setting, part, args.rounds)
    if args.msmt17:
        for part in ('evaluation', 're-ranked evaluation'):
            measure(MSMT, part)


if __name__ == '__main__':
    main()
