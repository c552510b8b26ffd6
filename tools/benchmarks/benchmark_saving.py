"""Compare the saving of checkpoints with mmengine's, and measure their check on resuming.

mmengine builds the file in memory and writes it under its final name; here it is written piece by
piece under another name, forced onto the disk and renamed. Peak memory is what saving adds to the
checkpoint, measured in a process for each figure.

Example:
    python tools/benchmarks/benchmark_saving.py --folder work_dirs
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from measure import best_seconds, peak_memory
from mmengine.runner import save_checkpoint

from passreid.apis.resume import examine
from passreid.utils.atomic_file import save_atomically

SIDES = {'mmengine': save_checkpoint, 'passreid': save_atomically}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--folder', type=Path, default='.', help='where checkpoints are written')
    # A pre-training of ViT-S/16: student, teacher and two moments.
    parser.add_argument('--gigabytes', type=float, default=1.8, help='size of a checkpoint')
    parser.add_argument('--rounds', type=int, default=3, help='the best of this many counts')
    return parser.parse_args()


def build_work(side: str, path: str, gigabytes: float) -> Callable[[], object]:
    """Make a checkpoint and return what saves it.

    Args:
        side (str): Of :data:`SIDES`.
        path (str): The file.
        gigabytes (float): Size of the checkpoint.
    """
    each = max(1, int(gigabytes * 1e9 / 4 / 200))
    checkpoint = {
        'meta': {'iter': 1, 'time': ''},
        'state_dict': {str(number): torch.rand(each) for number in range(200)},
        'message_hub': {},
        'optimizer': {},
    }
    return lambda: SIDES[side](checkpoint, path)


def main() -> None:
    """Print a table."""
    args = parse_args()
    with TemporaryDirectory(dir=args.folder) as folder:
        path = f'{folder}/checkpoint.pth'
        works = {side: build_work(side, path, args.gigabytes) for side in SIDES}
        seconds = best_seconds(works, args.rounds)
        checking = best_seconds({'check': lambda: examine(path)}, args.rounds)['check']
        del works
        print(f'{"side":10}{"seconds":>9}{"peak, GB":>10}')
        for side in SIDES:
            _, added = peak_memory(build_work, 'cpu', side, path, args.gigabytes)
            print(f'{side:10}{seconds[side]:9.2f}{added / 1e9:10.2f}')
    print(f'Check of a checkpoint of {args.gigabytes} GB on resuming: {checking:.2f} s')


if __name__ == '__main__':
    main()
