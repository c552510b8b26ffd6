"""Draw what runs have logged: a panel for each figure, a curve for each run.

A LOG is a work directory (its newest run, joined with the runs that it resumed), the folder of one
start of a run, or a file ``vis_data/scalars.json``.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np

from passreid.visualization import Curve, draw_curves, read_run_log, write_png


def main() -> None:
    """Write the picture."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('logs', nargs='+', metavar='LOG', help='work directory, folder or file')
    option('--keys', nargs='+', default=['loss'], help='figures to draw (default: loss)')
    option('--out', type=Path, default=Path('curves.png'), help='picture to write')
    option('--legend', nargs='+', help='name of each run (default: what tells paths apart)')
    option('--by', choices=('iter', 'epoch'), default='iter', help='what to count')
    option('--title', help='heading of the picture')
    option('--dpi', type=int, default=100, help='resolution of the picture')
    args = parser.parse_args()
    if args.legend and len(args.legend) != len(args.logs):
        parser.error(f'{len(args.legend)} names in --legend for {len(args.logs)} logs')
    logs = [read_run_log(path) for path in args.logs]
    labels = args.legend or args.logs
    if not args.legend:
        # The last parts of the paths, as many as tell them all apart.
        paths = [Path(path).resolve() for path in args.logs]
        for count in range(1, max(len(path.parts) for path in paths) + 1):
            labels = ['/'.join(path.parts[-count:]) for path in paths]
            if len(set(labels)) == len(set(paths)):
                break
    panels: dict[str, list[Curve]] = {}
    for key in args.keys:
        having = [key in log.keys for log in logs]
        panels[key] = []
        for log, label, has in zip(logs, labels, having, strict=True):
            # What no run has, the first of them refuses, and names the figures there are.
            if has or not any(having):
                panels[key].append(Curve(label, *log.series(key, args.by)))
            else:
                print(f'{log.source} has no {key}')
    figure = draw_curves(panels, 'epoch' if args.by == 'epoch' else 'iteration', title=args.title)
    write_png(figure, args.out, args.dpi)
    for key, curves in panels.items():
        for curve in curves:
            span = f'from {np.nanmin(curve.y):.4g} to {np.nanmax(curve.y):.4g}'
            print(f'{key} of {curve.label}: last {curve.y[-1]:.4g}, {span}')
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
