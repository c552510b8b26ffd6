r"""Watch memory, files, threads and throughput of a training over thousands of iterations.

Memory is what the processes alone have written to, as Linux counts it. A line is fitted to each
figure after the first fifth of the run. The exit status is 1 when memory grows by more than
--most-growth in 1000 iterations, when from the second fifth to the last files, threads or files in
shared memory become more by a quarter and 8, or when the last fifth is slower by more than
--slower.

Example:
    python tools/benchmarks/benchmark_long_run.py configs/pass/pass_vit-t8_synthetic.py \
        --cfg-options train_dataloader.batch_size=16 train_cfg.max_epochs=4
"""

import argparse
import os
import sys
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from health_hook import FIGURES, HealthHook
from mmengine.config import Config

from passreid.apis import build_runner, load_config
from passreid.utils.config_options import add_config_options, apply_config_options

_MEMORY = FIGURES[:2]
_COUNTS = FIGURES[2:5]
_SPEED = FIGURES[5]
# Workers that are just ending or starting have pipes of their own.
_FEW = 8


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a training')
    parser.add_argument('--interval', type=int, default=20, help='iterations between two notes')
    parser.add_argument('--most-growth', type=float, default=8, help='MiB in 1000 iterations')
    parser.add_argument('--slower', type=float, default=0.1, help='share of the throughput')
    parser.add_argument('--picture', help='file for curves of all figures')
    add_config_options(parser)
    return parser.parse_args()


def run(cfg: Config, interval: int) -> np.ndarray:
    """Train.

    Returns:
        np.ndarray: See :meth:`HealthHook.table`.
    """
    hook = HealthHook(interval)
    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        runner = build_runner(cfg)
        runner.register_hook(hook)
        runner.train()
    return hook.table()


def judge(table: np.ndarray, most_growth: float, slower: float) -> tuple[list[str], list[str]]:
    """Fit lines to the figures.

    Args:
        table (np.ndarray): Of :func:`run`.
        most_growth (float): MiB of memory in 1000 iterations.
        slower (float): Share of the throughput that may be lost.

    Returns:
        tuple[list[str], list[str]]: Rows of a table, and what is wrong.
    """
    fifths = np.array_split(table, 5)
    steady = np.concatenate(fifths[1:])
    rows = [
        '| figure | second fifth | last fifth | growth in 1000 iterations |',
        '|---|---|---|---|',
    ]
    wrong = []
    for column, name in enumerate(FIGURES, start=1):
        early, late = (np.median(fifth[:, column]) for fifth in (fifths[1], fifths[-1]))
        growth = np.polyfit(steady[:, 0], steady[:, column], 1)[0] * 1000
        rows.append(f'| {name} | {early:.1f} | {late:.1f} | {growth:+.2f} |')
        if name in _MEMORY and growth > most_growth:
            wrong.append(f'{name}: grows by {growth:.1f} in 1000 iterations')
        elif name in _COUNTS and late > max(1.25 * early, early + _FEW):
            wrong.append(f'{name}: {early:.0f} became {late:.0f}')
        elif name == _SPEED and late < early * (1 - slower):
            wrong.append(f'{name}: {early:.1f} became {late:.1f}')
    return rows, wrong


def draw(table: np.ndarray, path: str) -> None:
    """Draw all figures over the iterations.

    Args:
        table (np.ndarray): Of :func:`run`.
        path (str): The picture.
    """
    figure, axes = plt.subplots(3, 2, figsize=(10, 8), sharex=True, layout='constrained')
    for column, (axis, name) in enumerate(zip(axes.flat, FIGURES, strict=True), start=1):
        axis.plot(table[:, 0], table[:, column], linewidth=1)
        axis.set_title(name, fontsize=10)
        axis.set_ylim(0, max(table[:, column].max() * 1.1, 1))
    for axis in axes[-1]:
        axis.set_xlabel('iteration')
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    """Train, print the table, draw, judge."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    table = run(cfg, args.interval)
    rows, wrong = judge(table, args.most_growth, args.slower)
    print('\n'.join(rows))
    print(f'{int(table[-1, 0])} iterations; load of the machine {os.getloadavg()[1]:.1f}')
    if args.picture:
        draw(table, args.picture)
    sys.exit('\n'.join(wrong) or 0)


if __name__ == '__main__':
    main()
