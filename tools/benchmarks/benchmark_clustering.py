"""Compare clustering of unlabelled images with a plain composition on dense matrices.

From features to pseudo labels: nearest neighbours, Jaccard distances of k-reciprocal sets, DBSCAN.
The plain composition holds matrices of all pairs. Both sides run in turn in one process, and it is
checked that they give the same labels. Peak memory is what the work adds to the features, measured
in a process for each figure. Sizes above ``--plain-up-to`` are measured on our side alone.

Example:
    python tools/benchmarks/benchmark_clustering.py
    python tools/benchmarks/benchmark_clustering.py --sizes 200000 --dims 256 --search faiss
"""

import argparse

import numpy as np
import torch
from clustering_sides import PHASES, Outcome, Setting, build_work
from interleaved import best_seconds
from peak_memory import peak_memory

# Two small ones, then the training sets of Market-1501 and MSMT17.
SIZES = (2000, 5000, 12936, 32621)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    parser.add_argument('--dims', type=int, default=768, help='dimensions of the features')
    parser.add_argument(
        '--search', choices=('exact', 'faiss'), default='exact', help='how ours finds neighbours'
    )
    parser.add_argument(
        '--plain-up-to', type=int, default=12936, help='largest size of the plain composition'
    )
    parser.add_argument('--rounds', type=int, default=3, help='the best of this many counts')
    return parser.parse_args()


def run(setting: Setting, sides: tuple[str, ...], rounds: int) -> dict[str, Outcome]:
    """Run the sides in turn.

    Args:
        setting (Setting): What is clustered.
        sides (tuple[str, ...]): Names of the sides.
        rounds (int): How often each runs.

    Returns:
        dict[str, Outcome]: The best outcome of each side.

    Raises:
        RuntimeError: When their labels differ.
    """
    outcomes: dict[str, list[Outcome]] = {side: [] for side in sides}
    works = {side: build_work(setting, side) for side in sides}
    best_seconds(
        {side: lambda side=side: outcomes[side].append(works[side]()) for side in sides}, rounds
    )
    first = outcomes[sides[0]][0].labels
    for outcome in sum(outcomes.values(), []):
        differing = int((outcome.labels != first).sum())
        if differing:
            raise RuntimeError(f'the sides differ: labels of {differing} of {len(first)} images')
    return {
        side: min(found, key=lambda outcome: sum(outcome.seconds.values()))
        for side, found in outcomes.items()
    }


def report(setting: Setting, sides: tuple[str, ...], rounds: int) -> None:
    """Print times and memory of the sides and their ratios."""
    outcomes = run(setting, sides, rounds)
    labels = outcomes['ours'].labels
    same = 'the same labels, ' if len(sides) > 1 else ''
    print(
        f'{setting.number} images: {same}{labels.max() + 1} clusters, '
        f'{np.count_nonzero(labels < 0)} outliers'
    )
    for phase in (*PHASES, 'total'):
        figures = {
            side: sum(outcome.seconds.values()) if phase == 'total' else outcome.seconds[phase]
            for side, outcome in outcomes.items()
        }
        print_row(f'{setting.number} {phase}, s', figures, '.2f', faster=True)
    figures = {side: peak_memory(build_work, 'cpu', setting, side, rounds=1)[1] for side in sides}
    figures = {side: peak / 2**20 for side, peak in figures.items()}
    print_row(f'{setting.number} peak MiB', figures, '.0f', faster=False)


def print_row(title: str, figures: dict[str, float], form: str, faster: bool) -> None:
    """Print a figure of each side and, for both, how many times as fast or large ours is."""
    ours, plain = figures['ours'], figures.get('plain')
    columns = f'{"" if plain is None else format(plain, form):>10}{format(ours, form):>10}'
    if plain is not None:
        columns += f'{plain / ours if faster else ours / plain:>8.3g}x'
    print(f'{title:30}{columns}', flush=True)


def main() -> None:
    """Print times, memory and their ratios for all sizes."""
    args = parse_args()
    print(
        f'{torch.get_num_threads()} CPU threads, torch {torch.__version__}, '
        f'{args.dims} dimensions, float32, {args.search} search'
    )
    print(f'{"":30}{"plain":>10}{"ours":>10}{"ratio":>9}')
    for size in args.sizes:
        sides = ('plain', 'ours') if size <= args.plain_up_to else ('ours',)
        report(Setting(size, args.dims, args.search), sides, args.rounds)


if __name__ == '__main__':
    main()
