"""Measure the stores of a gallery: inserting, opening, searching, memory, size and recall.

Features are clustered, as those of people are: each person has eight images whose mean cosine is
0.6, and queries are further images of them. All stores get the same ones, with a record of camera,
time and a field, in one process, in turn. 'filtered' searches with "not from this camera", another
one for each query. Of searches the best of some rounds counts. Memory is that of opening, and of
opening and a search of 100 queries, each in a process of its own, libraries of the store included.
Recall is the share of the 10 most similar images that was found.

Example:
    OMP_NUM_THREADS=2 python tools/benchmarks/benchmark_search.py
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import peak_memory

from passreid.search import Gallery, GalleryRecord, LocalStore, Match, MilvusStore, SearchFilter

_HNSW: dict[str, Any] = dict(
    index='HNSW', index_params=dict(M=32, efConstruction=40), search_params=dict(ef=128)
)
# The first is exact: the others are compared with it.
STORES: dict[str, Callable[..., Gallery]] = {
    'local': lambda folder, dim: LocalStore(dim, 'benchmark', folder, 'cpu'),
    'milvus-FLAT': lambda folder, dim: MilvusStore(f'{folder}/gallery.db', dim, 'benchmark'),
    'milvus-HNSW': lambda folder, dim: MilvusStore(
        f'{folder}/gallery.db', dim, 'benchmark', **_HNSW
    ),
}
_CAMERAS, _IMAGES_PER_PERSON, _LIKENESS, _QUERIES = 6, 8, 0.6, 500
_TOPK, _MANY = 10, 100
_COLUMNS = (
    'store',
    'insert, s',
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


def draw_gallery(number: int, dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features ``(number, dims)`` of people, and queries ``(500, dims)``."""
    generator = np.random.default_rng(0)
    people = generator.standard_normal((-(-number // _IMAGES_PER_PERSON), dims), np.float32)

    def images(owners: np.ndarray) -> np.ndarray:
        own = generator.standard_normal((len(owners), dims), np.float32)
        own *= (1 - _LIKENESS) ** 0.5
        own += np.float32(_LIKENESS**0.5) * people[owners]
        return own

    owners = generator.permutation(number) % len(people)
    return images(owners), images(generator.integers(0, len(people), _QUERIES))


def make_records(number: int) -> list[GalleryRecord]:
    """Make records with a path as long as paths are."""
    return [
        GalleryRecord(
            f'/data/cameras/crops/{place // 1000:05}/{place:09}.jpg',
            place % _CAMERAS,
            float(place),
            dict(weather=('sun', 'rain', 'snow')[place % 3]),
            f'{place % 9999}-{1714579200000000000 + place}',
        )
        for place in range(number)
    ]


def measure(
    kind: str, features: np.ndarray, queries: np.ndarray, folder: str, args: argparse.Namespace
) -> tuple[list[float], list[list[str]]]:
    """Measure a store.

    Returns:
        tuple[list[float], list]: Figures for the columns, and the paths found for each query.
    """
    dim, records = features.shape[1], make_records(len(features))
    start = time.perf_counter()
    with STORES[kind](folder, dim) as store:
        for first in range(0, len(records), args.batch):
            own = slice(first, first + args.batch)
            store.add(features[own], records[own])
    seconds = [time.perf_counter() - start]
    start = time.perf_counter()
    with STORES[kind](folder, dim) as store:
        seconds.append(time.perf_counter() - start)
        filters = [SearchFilter(not_cameras=[place % _CAMERAS]) for place in range(_MANY)]
        for number, where in ((1, None), (_MANY, None), (_MANY, filters)):
            times = []
            for _ in range(args.rounds + 1):
                start = time.perf_counter()
                store.search(queries[:number], _TOPK, where)
                times.append(time.perf_counter() - start)
            seconds.append(1000 * min(times[1:]))
        steps = range(0, len(queries), _MANY)
        found = [m for start in steps for m in store.search(queries[start : start + _MANY], _TOPK)]
    memory = [
        peak_memory(work, 'cpu', kind, folder, dim, queries[:_MANY], rounds=1)[0]
        for work in (open_work, search_work)
    ]
    size = sum(file.stat().st_size for file in Path(folder).rglob('*') if file.is_file())
    figures = [*seconds, *(count / 2**20 for count in (*memory, size))]
    return figures, [[match.record.path for match in matches] for matches in found]


def open_work(kind: str, folder: str, dim: int, queries: np.ndarray) -> Callable[[], object]:
    """Return the work of opening a store; for :func:`peak_memory`."""
    return lambda: STORES[kind](folder, dim)


def search_work(kind: str, folder: str, dim: int, queries: np.ndarray) -> Callable[[], object]:
    """Return the work of opening a store and searching it; for :func:`peak_memory`."""

    def work() -> list[list[Match]]:
        with STORES[kind](folder, dim) as store:
            return store.search(queries)

    return work


def main() -> None:
    """Print the table."""
    args = parse_args()
    threads = os.environ.get('OMP_NUM_THREADS', torch.get_num_threads())
    print(f'{args.number} images of {args.dims} values, {threads} CPU threads\n', flush=True)
    features, queries = draw_gallery(args.number, args.dims)
    rows = [_COLUMNS, ('---', *['---:'] * (len(_COLUMNS) - 1))]
    expected: list[list[str]] = []
    for kind in sorted(args.stores, key=list(STORES).index):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            figures, found = measure(kind, features, queries, folder, args)
        expected = expected or found
        hits = sum(len({*own} & {*best}) for own, best in zip(found, expected, strict=True))
        recall = hits / sum(map(len, expected))
        rows.append((kind, *(f'{figure:.3g}' for figure in figures), f'{recall:.3f}'))
        print(f'measured {kind}', flush=True)
    print('\n' + '\n'.join(f'| {" | ".join(row)} |' for row in rows))


if __name__ == '__main__':
    main()
