"""Measure the stores of a gallery: inserting, opening, searching, memory, size and recall.

Features are clustered, as those of people are: each person has eight images whose mean cosine is
0.6, and queries are further images of them. All stores get the same ones, with a record of camera,
time and a field, in one process, in turn. 'insert' adds them, 'write' closes the store, which
builds the indices of faiss. 'filtered' searches with "not from this camera", another one for each
query. Of searches the best of some rounds counts. Memory is that of opening, and of opening and a
search of 100 queries, each in a process of its own, libraries of the store included. Recall is the
share of the 10 most similar images that was found.

Example:
    OMP_NUM_THREADS=2 python tools/benchmarks/benchmark_search.py
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from peak_memory import peak_memory
from search_stores import (
    STORES,
    Gallery,
    draw_gallery,
    make_records,
    not_own_camera,
    open_gallery,
    open_work,
    search_work,
)

from passreid.search import GalleryStore, Match

_TOPK = 10
_MANY = 100
_COLUMNS = (
    'store',
    'insert, s',
    'write, s',
    'open, s',
    'search 1, ms',
    'search 100, ms',
    'filtered 100, ms',
    'open, MiB',
    'search, MiB',
    'disk, MiB',
    'recall@10',
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--number', type=int, default=100_000, help='images of the gallery')
    parser.add_argument('--dims', type=int, default=768, help='values to a feature')
    parser.add_argument(
        '--stores', nargs='+', choices=STORES, default=list(STORES), help='which to measure'
    )
    parser.add_argument('--batch', type=int, default=2048, help='images added at a time')
    parser.add_argument(
        '--rounds', type=int, default=5, help='the best of this many searches counts'
    )
    parser.add_argument('--folder', type=Path, help='where galleries are made (default: temporary)')
    return parser.parse_args()


def measure(
    kind: str, gallery: Gallery, folder: Path, batch: int, rounds: int, expected: list | None
) -> tuple[list[str], list]:
    """Measure a store.

    Args:
        kind (str): Which.
        gallery (Gallery): What it gets.
        folder (Path): Where it is made; removed afterwards.
        batch (int): Images added at a time.
        rounds (int): The best of this many searches counts.
        expected (list, optional): Paths that an exact search finds for each query.

    Returns:
        tuple[list[str], list]: A row of the table, and the paths that were found.
    """
    dims, one = gallery.features.shape[1], gallery.queries[:1]
    many, filters = gallery.queries[:_MANY], not_own_camera(_MANY)
    insert, write = fill(kind, gallery, folder, batch)
    start = time.perf_counter()
    store = open_gallery(kind, dims, folder)
    opened = time.perf_counter() - start
    store.search(one, _TOPK)
    seconds = [
        best(lambda: store.search(one, _TOPK), rounds),
        best(lambda: store.search(many, _TOPK), rounds),
        best(lambda: store.search(many, _TOPK, filters), rounds),
    ]
    found = [paths(matches) for matches in search(store, gallery.queries)]
    store.close()
    size = sum(file.stat().st_size for file in folder.rglob('*') if file.is_file())
    memory = [
        peak_memory(open_work, 'cpu', kind, dims, str(folder), rounds=1)[0],
        peak_memory(search_work, 'cpu', kind, many, str(folder), rounds=1)[0],
    ]
    shutil.rmtree(folder)
    hits = [len({*own} & {*best}) for own, best in zip(found, expected or found, strict=True)]
    row = [
        kind,
        *(f'{value:.1f}' for value in (insert, write)),
        f'{opened:.2f}',
        *(f'{1000 * value:.0f}' for value in seconds),
        *(f'{value / 2**20:.0f}' for value in (*memory, size)),
        f'{sum(hits) / sum(map(len, expected or found)):.3f}',
    ]
    return row, found


def fill(kind: str, gallery: Gallery, folder: Path, batch: int) -> tuple[float, float]:
    """Insert all images.

    Args:
        kind (str): Which store.
        gallery (Gallery): The images.
        folder (Path): Where.
        batch (int): Images at a time.

    Returns:
        tuple[float, float]: Seconds to add them, and to flush and close, indices included.
    """
    records = make_records(len(gallery.features))
    store = open_gallery(kind, gallery.features.shape[1], folder, is_new=True)
    start = time.perf_counter()
    for first in range(0, len(records), batch):
        own = slice(first, first + batch)
        store.add(gallery.features[own], records[own])
    inserted = time.perf_counter()
    store.close()
    return inserted - start, time.perf_counter() - inserted


def search(store: GalleryStore, queries: np.ndarray) -> list[list[Match]]:
    """Search for all queries, some at a time."""
    steps = range(0, len(queries), _MANY)
    return [m for start in steps for m in store.search(queries[start : start + _MANY], _TOPK)]


def paths(matches: Sequence[Match]) -> list[str]:
    """Return what was found."""
    return [match.record.path for match in matches]


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the least seconds that work takes."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a table of Markdown."""
    rule = ['---', *['---:'] * (len(_COLUMNS) - 1)]
    return '\n'.join(f'| {" | ".join(row)} |' for row in (_COLUMNS, rule, *rows))


def main() -> None:
    """Print the table."""
    args = parse_args()
    threads = os.environ.get('OMP_NUM_THREADS', torch.get_num_threads())
    print(f'{args.number} images of {args.dims} values, {threads} CPU threads\n', flush=True)
    gallery = draw_gallery(args.number, args.dims)
    rows, expected = [], None
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        # What is exact comes first: the others are compared with it.
        for kind in sorted(args.stores, key=list(STORES).index):
            row, found = measure(
                kind, gallery, Path(folder) / kind, args.batch, args.rounds, expected
            )
            expected = expected or found
            rows.append(row)
            print(f'measured {kind}', flush=True)
    print(f'\n{table(rows)}')


if __name__ == '__main__':
    main()
