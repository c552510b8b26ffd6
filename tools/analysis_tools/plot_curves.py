"""Draw what runs have logged: a panel for each figure, a curve for each run.

A LOG is a work directory (its newest run, joined with the runs that it resumed), the folder of one
start of a run, or a file ``vis_data/scalars.json``.

Example:
    python tools/analysis_tools/plot_curves.py work_dirs/a work_dirs/b --keys loss --out curves.png
"""

import argparse
from pathlib import Path

import numpy as np

from passreid.visualization import Curve, RunLog, draw_curves, read_run_log, write_png


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('logs', nargs='+', metavar='LOG', help='work directory, folder or file')
    parser.add_argument(
        '--keys', nargs='+', default=['loss'], help='figures to draw (default: loss)'
    )
    parser.add_argument('--out', type=Path, default=Path('curves.png'), help='picture to write')
    parser.add_argument(
        '--legend', nargs='+', help='name of each run (default: what tells their paths apart)'
    )
    parser.add_argument('--by', choices=('iter', 'epoch'), default='iter', help='what to count')
    parser.add_argument('--title', help='heading of the picture')
    parser.add_argument('--dpi', type=int, default=100, help='resolution of the picture')
    args = parser.parse_args()
    if args.legend and len(args.legend) != len(args.logs):
        parser.error(f'{len(args.legend)} names in --legend for {len(args.logs)} logs')
    return args


def short_names(paths: list[str]) -> list[str]:
    """Name each path by its last parts, as many as tell them all apart.

    Args:
        paths (list[str]): Paths, some of which may be the same.

    Returns:
        list[str]: A name for each.
    """
    resolved = [Path(path).resolve() for path in paths]
    for count in range(1, max(len(path.parts) for path in resolved) + 1):
        names = ['/'.join(path.parts[-count:]) for path in resolved]
        if len(set(names)) == len(set(resolved)):
            break
    return names


def main() -> None:
    """Write the picture."""
    args = parse_args()
    logs = [read_run_log(path) for path in args.logs]
    labels = args.legend or short_names(args.logs)
    panels = {key: _curves(logs, labels, key, args.by) for key in args.keys}
    figure = draw_curves(panels, 'epoch' if args.by == 'epoch' else 'iteration', title=args.title)
    write_png(figure, args.out, args.dpi)
    for key, curves in panels.items():
        for curve in curves:
            print(f'{key} of {curve.label}: last {curve.y[-1]:.4g}, {_range(curve.y)}')
    print(f'Wrote {args.out}')


def _curves(logs: list[RunLog], labels: list[str], key: str, by: str) -> list[Curve]:
    """Collect a figure from the runs that have it, at least one of them."""
    having = [(log, label) for log, label in zip(logs, labels, strict=True) if key in log.keys]
    if not having:
        # Raises, and names the figures there are.
        logs[0].series(key)
    for log in logs:
        if key not in log.keys:
            print(f'{log.source} has no {key}')
    return [Curve(label, *log.series(key, by)) for log, label in having]


def _range(values: np.ndarray) -> str:
    return f'from {np.nanmin(values):.4g} to {np.nanmax(values):.4g}'


if __name__ == '__main__':
    main()
