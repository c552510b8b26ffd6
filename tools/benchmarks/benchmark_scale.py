"""Measure a data set with as many names as LUPerson: starting, memory of workers, exact epochs.

An LMDB, or folders of links with --folder, is made with tiny pictures. Starts and workers run in
processes of their own. Memory of workers is what they alone have written to (the pages of the lists
and of the LMDB belong to all processes of the machine), beside the same with 1000 names. Then it is
counted how often each image is drawn in an epoch, over ranks and interruptions, and read through
data loaders with workers.

Example:
    OMP_NUM_THREADS=1 python tools/benchmarks/benchmark_scale.py --folder
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from epoch_counts import check_beginning, check_epoch, count_epoch, read_epoch
from scale_measures import BATCH, measure_start, measure_workers
from simulated_luperson import LUPERSON, write_folder, write_lmdb

_FEW = 1000
_RANKS = (1, 3, 8, 64)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', type=int, default=LUPERSON, help='number of names')
    parser.add_argument('--folder', action='store_true', help='folders of files, not an LMDB')
    parser.add_argument('--workers', type=int, nargs='+', default=[2, 8])
    parser.add_argument('--samples', type=int, default=40_000, help='read to measure memory')
    parser.add_argument('--read', type=int, default=500_000, help='images read to count them')
    parser.add_argument('--root', help='where to put the data set (default: a temporary folder)')
    parser.add_argument('--keep', action='store_true', help='leave it there')
    return parser.parse_args()


def measure(root: Path, images: int, folder: bool, workers: list[int], samples: int) -> list[str]:
    """Make the data sets and measure them.

    Returns:
        list[str]: Rows of a table: what, and its figure.
    """
    write = write_folder if folder else write_lmdb
    many, few = root / f'{images}', root / f'{_FEW}'
    rows = []
    for place, number in ((many, images), (few, _FEW)):
        begun = time.perf_counter()
        if not place.exists():
            write(place, number)
        if place is many:
            rows.append(_row('made in, s', time.perf_counter() - begun))
    for name in ('first', 'later'):
        start = measure_start(str(many))
        rows.append(_row(f'{name} start, s', start.seconds, 3))
        rows.append(_row(f'{name} start, peak of memory, MiB', _mib(start.peak)))
        rows.append(_row(f'{name} start, memory kept, MiB', _mib(start.kept), 1))
    measure_start(str(few))
    for method in ('fork', 'spawn'):
        for number in workers:
            found = measure_workers(str(many), method, number, samples)
            beside = measure_workers(str(few), method, number, samples)
            name = f'{number} workers ({method}), each'
            rows.append(_row(f'{name}, memory of its own, MiB', _mib(found.own)))
            rows.append(_row(f'{name}, the same with {_FEW} names, MiB', _mib(beside.own)))
            rows.append(_row(f'{name}, growth while reading, MiB', _mib(found.growth), 1))
    return rows


def count(root: Path, images: int, num_read: int) -> list[str]:
    """Count how often images are seen.

    Returns:
        list[str]: Rows of the table.

    Raises:
        AssertionError: When one was missed or seen too often.
    """
    rows = []
    generator = np.random.default_rng(0)
    for ranks in _RANKS:
        stops = sorted(generator.integers(1, images // ranks, 2).tolist())
        begun = time.perf_counter()
        check_epoch(count_epoch(images, ranks, stops), ranks)
        rows.append(
            _row(
                f'order of {ranks} ranks, interrupted twice: exact, s', time.perf_counter() - begun
            )
        )
    batches = -(-min(num_read, images) // BATCH)
    stops = [(batches // 3, 2), (batches // 2, 1), (batches, 2)]
    begun = time.perf_counter()
    counts = read_epoch(str(root / f'{images}'), stops)
    seconds = time.perf_counter() - begun
    check_beginning(counts, min(batches * BATCH, images))
    name = f'{counts.sum():,} images through 2, 1, 2 workers, interrupted twice: exact, s'
    rows.append(_row(name, seconds))
    return rows


def _mib(number: float) -> float:
    return number / 2**20


def _row(name: str, value: float, digits: int = 0) -> str:
    row = f'| {name} | {value:,.{digits}f} |'
    print(row, flush=True)
    return row


def main() -> None:
    """Make, measure, count, remove."""
    args = parse_args()
    root = Path(args.root) if args.root else Path(tempfile.mkdtemp())
    kind = 'files' if args.folder else 'keys of an LMDB'
    print(f'| {args.images:,} {kind} | |\n|---|---|')
    try:
        measure(root, args.images, args.folder, args.workers, args.samples)
        count(root, args.images, args.read)
    finally:
        if not args.keep:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == '__main__':
    main()
