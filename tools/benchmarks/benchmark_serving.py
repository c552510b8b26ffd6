"""Measure what serves features: a model on the processor, and the stores of a gallery.

'model' times a model in torch, compiled, and as a file of onnxruntime, which must give the features
of torch: latency of one image, throughput of a batch. 'gallery' measures stores with features of
people (eight images each, mean cosine 0.6) and further images of them as queries; 'filtered'
searches with "not from this camera", another one for each query. Memory is that of opening, and of
opening and 100 queries, in a process of its own. Recall is the share that was found of the 10 most
similar images. Ratios are to the first row: plain torch, plain numpy.

Example:
    python tools/benchmarks/benchmark_serving.py model configs/supervised/vit-t8_synthetic.py
    OMP_NUM_THREADS=2 python tools/benchmarks/benchmark_serving.py gallery
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_ranking import Setting
from measure import best_seconds, check_agreement, make_parser, peak_memory
from mmengine.logging import MMLogger
from torch.nn import functional as F

from passreid.apis import get_model, load_config
from passreid.search import Gallery, GalleryRecord, SearchFilter, open_store
from passreid.utils.config import add_config_options, apply_config_options
from passreid.visualization import Table

STORES: dict[str, dict[str, Any]] = {
    'local': dict(device='cpu'),
    'milvus-FLAT': {},
    'milvus-HNSW': dict(
        index='HNSW', index_params=dict(M=32, efConstruction=40), search_params=dict(ef=128)
    ),
}
# Runtime and file of each way; OpenVINO is slow where the ranges of activations are not known.
FILES = {
    'onnxruntime float32': ('onnxruntime', 'float32'),
    'onnxruntime int8 (dynamic)': ('onnxruntime', 'int8'),
    'onnxruntime int8 (calibrated)': ('onnxruntime', 'calibrated'),
    'openvino float32': ('openvino', 'float32'),
    'openvino bfloat16': ('openvino-bf16', 'float32'),
    'openvino int8 (calibrated)': ('openvino', 'calibrated'),
}
CAMERAS, IMAGES_PER_PERSON, LIKENESS, QUERIES = 6, 8, 0.6, 500
TOPK, MANY = 10, 100
MODEL_COLUMNS = ('', 'latency, ms', 'images/s', 'MB', 'least cosine', 'ratio')
GALLERY_COLUMNS = ('store', 'insert, s', 'open, s', '1, ms', '100, ms', 'filtered 100, ms')
GALLERY_COLUMNS += ('open, MiB', 'search, MiB', 'disk, MiB', 'recall@10', 'ratio')


def measure_model(args: argparse.Namespace) -> None:
    """Print the table of a model."""
    from passreid.deployment import ExportableModel, ExportedModel, export_onnx, quantize_onnx

    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    model = ExportableModel(get_model(cfg, args.checkpoint))
    ways: dict[str, Any] = {'torch': torch.inference_mode()(model)}
    if not args.no_compile:
        # For each size a graph of its own, as onnxruntime plans its memory for each.
        ways['torch.compile'] = torch.inference_mode()(torch.compile(model, dynamic=False))
    sizes = dict.fromkeys(ways, sum(weight.nbytes for weight in model.state_dict().values()))
    one, many = model.info.noise(1), model.info.noise(args.batch)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder, f'{name}.onnx') for name in ('float32', 'int8', 'calibrated')}
        export_onnx(model, paths['float32'])
        quantize_onnx(paths['float32'], paths['int8'])
        quantize_onnx(paths['float32'], paths['calibrated'], images=many)
        for name, (runtime, kind) in FILES.items():
            ways[name] = ExportedModel(paths[kind], args.threads, runtime)
            sizes[name] = paths[kind].stat().st_size
    plain, cosines = ways['torch'](many), {}
    for name, way in ways.items():
        cosines[name] = float(F.cosine_similarity(way(many), plain).min())
        tolerance = 0.1 if 'int8' in name else 0.01 if 'bfloat16' in name else 1e-4
        check_agreement(f'features of {name}', 1 - cosines[name], tolerance)
    latency = best_seconds({n: partial(way, one) for n, way in ways.items()}, 10 * args.rounds)
    whole = best_seconds({n: partial(way, many) for n, way in ways.items()}, args.rounds)
    rows = []
    for name, size in sizes.items():
        rate, ratio = args.batch / whole[name], whole['torch'] / whole[name]
        figures = f'{latency[name] * 1e3:.1f}', f'{rate:.0f}', f'{size / 1e6:.2f}'
        rows.append((name, *figures, f'{cosines[name]:.4f}', f'{ratio:.2f}x'))
    height, width = model.info.input_size
    print(f'{args.config}, {height}x{width}, batch {args.batch}, {args.threads} threads')
    print(Table(MODEL_COLUMNS, rows).to_text())


def search_plainly(features: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the places of the most similar images, ``(Q, 10)``."""
    similarities = queries @ features.T
    nearest = np.argpartition(-similarities, TOPK, axis=1)[:, :TOPK]
    order = np.argsort(-np.take_along_axis(similarities, nearest, axis=1), axis=1)
    return np.take_along_axis(nearest, order, axis=1)


def open_kind(kind: str, folder: str, dim: int) -> Gallery:
    """Open or make a store of a kind."""
    where = f'{folder}/gallery.db' if 'milvus' in kind else folder
    return open_store(where, dim, 'benchmark', **STORES[kind])


def use_store(kind: str, folder: str, queries: np.ndarray) -> None:
    """Open a store, and search it if there are queries."""
    with open_kind(kind, folder, queries.shape[1]) as store:
        if len(queries):
            store.search(queries, TOPK)


def measure_store(
    kind: str, features: np.ndarray, queries: np.ndarray, folder: str, args: argparse.Namespace
) -> tuple[list[float], list[set[int]]]:
    """Return figures of a store for the columns, and the places found for each query."""
    dim, path = features.shape[1], '/data/cameras/crops/morning/{:09}.jpg'
    # The time is the place.
    records = [GalleryRecord(path.format(n), n % CAMERAS, float(n)) for n in range(len(features))]
    start = time.perf_counter()
    with open_kind(kind, folder, dim) as store:
        for first in range(0, len(records), args.batch):
            own = slice(first, first + args.batch)
            store.add(features[own], records[own])
    figures = [time.perf_counter() - start]
    start = time.perf_counter()
    with open_kind(kind, folder, dim) as store:
        figures.append(time.perf_counter() - start)
        filters = [SearchFilter(not_cameras=[place % CAMERAS]) for place in range(MANY)]
        works = {
            'one': lambda: store.search(queries[:1], TOPK),
            'many': lambda: store.search(queries[:MANY], TOPK),
            'filtered': lambda: store.search(queries[:MANY], TOPK, filters),
        }
        # The first search makes ready what later ones find.
        best_seconds(works, 1)
        figures += [1000 * seconds for seconds in best_seconds(works, args.rounds).values()]
        found = store.search(queries, TOPK)
    for some in (queries[:0], queries[:MANY]):
        peak, _ = peak_memory(partial, 'cpu', use_store, kind, folder, some)
        figures.append(peak / 2**20)
    files = (file for file in Path(folder).rglob('*') if file.is_file())
    figures.append(sum(file.stat().st_size for file in files) / 2**20)
    return figures, [{int(match.record.time) for match in matches} for matches in found]


def measure_stores(args: argparse.Namespace) -> None:
    """Print the table of the stores."""
    people = args.number // IMAGES_PER_PERSON
    setting = Setting(QUERIES, args.number, people, 0, CAMERAS, args.dims, LIKENESS)
    queries, features = (F.normalize(side).numpy() for side in setting.features())
    expected = search_plainly(features, queries).tolist()
    works = {n: partial(search_plainly, features, queries[:n]) for n in (1, MANY)}
    one, plain = (1000 * seconds for seconds in best_seconds(works, args.rounds).values())
    rows = [('numpy', '', '', f'{one:.3g}', f'{plain:.3g}', '', '', '', '', '1.000', '')]
    for kind in args.stores:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            figures, found = measure_store(kind, features, queries, folder, args)
        hits = sum(len(own & {*best}) for own, best in zip(found, expected, strict=True))
        recall = hits / (TOPK * QUERIES)
        check_agreement(f'{kind}, share not found', 1 - recall, 1 if 'HNSW' in kind else 1e-3)
        texts = [f'{figure:.3g}' for figure in figures]
        rows.append((kind, *texts, f'{recall:.3f}', f'{plain / figures[3]:.2f}x'))
    print(f'{args.number} images of {args.dims} values, {torch.get_num_threads()} CPU threads')
    print(Table(GALLERY_COLUMNS, rows).to_text())


def main() -> None:
    """Do what the command line says."""
    parser = make_parser(__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    model = commands.add_parser('model', help='time a model on the processor')
    model.set_defaults(run=measure_model)
    option = model.add_argument
    option('config', help='config file, for example configs/supervised/NAME.py')
    option('--checkpoint', metavar='FILE', help='weights (default: random ones)')
    option('--threads', type=int, default=2, help='of each way')
    option('--batch', type=int, default=32, help='of the throughput')
    option('--rounds', type=int, default=5, help='of batches; ten times as many of one image')
    option('--no-compile', action='store_true', help='leave out torch.compile: minutes')
    add_config_options(model)
    gallery = commands.add_parser('gallery', help='measure the stores of a gallery')
    gallery.set_defaults(run=measure_stores)
    option = gallery.add_argument
    option('--number', type=int, default=100_000, help='images of the gallery')
    option('--dims', type=int, default=768, help='values to a feature')
    option('--stores', nargs='+', choices=STORES, default=list(STORES), help='which to measure')
    option('--batch', type=int, default=2048, help='images added at a time')
    option('--rounds', type=int, default=5, help='the best of this many searches counts')
    option('--folder', type=Path, help='where galleries are made (default: temporary)')
    args = parser.parse_args()
    args.run(args)


if __name__ == '__main__':
    main()
