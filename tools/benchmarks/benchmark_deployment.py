"""Time a model on the processor in torch, compiled, and as a file of onnxruntime.

Latency of one image and throughput of a batch, all ways in turn in one process, the best of several
rounds each. Without --checkpoint weights are random: good for times alone. With --accuracy the test
set of the config is evaluated, too. Prints a table in Markdown.

Example:
    python tools/benchmarks/benchmark_deployment.py configs/supervised/vit-t8_synthetic.py \
        --checkpoint work_dirs/vit-t8_synthetic/epoch_30.pth --accuracy
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from interleaved import best_seconds
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import Tensor

from passreid.apis import build_runner, get_model, load_config, prepare_test
from passreid.deployment import (
    ExportableModel,
    export_onnx,
    open_exported,
    quantize_onnx,
    use_exported,
)
from passreid.utils.config_options import add_config_options, apply_config_options

EAGER, COMPILED, FLOAT, INT8 = (
    'torch',
    'torch.compile',
    'onnxruntime float32',
    'onnxruntime int8 (dynamic)',
)
FIGURES = {'reid/mAP': 'mAP', 'reid/R1': 'Rank-1'}

Way = Callable[[Tensor], Tensor]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, for example configs/supervised/NAME.py')
    parser.add_argument('--checkpoint', metavar='FILE', help='weights (default: random ones)')
    parser.add_argument(
        '--accuracy', action='store_true', help='evaluate the test set of the config as well'
    )
    parser.add_argument('--threads', type=int, default=2, help='of each way (default: 2)')
    parser.add_argument('--batch', type=int, default=32, help='of the throughput (default: 32)')
    parser.add_argument(
        '--rounds', type=int, default=5, help='of batches; ten times as many of one image'
    )
    parser.add_argument(
        '--no-compile', action='store_true', help='leave out torch.compile, which takes minutes'
    )
    add_config_options(parser)
    return parser.parse_args()


def build(args: argparse.Namespace, folder: Path) -> tuple[ExportableModel, dict[str, Path]]:
    """Build the model, and write its files."""
    model = ExportableModel(get_model(read_config(args), args.checkpoint))
    files = {FLOAT: folder / 'model.onnx', INT8: folder / 'model.int8.onnx'}
    export_onnx(model, files[FLOAT])
    quantize_onnx(files[FLOAT], files[INT8])
    return model, files


def read_config(args: argparse.Namespace) -> Config:
    """Read the config with the options of the command line."""
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    return cfg


def make_ways(
    model: ExportableModel, files: dict[str, Path], threads: int, with_compile: bool
) -> dict[str, Way]:
    """Return what takes images and gives features, by name."""
    ways: dict[str, Way] = {EAGER: torch.inference_mode()(model)}
    if with_compile:
        # For each size a graph of its own, as onnxruntime plans its memory for each.
        ways[COMPILED] = torch.inference_mode()(torch.compile(model, dynamic=False))
    for name, path in files.items():
        ways[name] = open_exported(path, threads)
    return ways


def time_ways(ways: dict[str, Way], images: Tensor, rounds: int) -> dict[str, float]:
    """Return the seconds of the best round of each way, none of which is the first."""
    paths = {name: lambda way=way: way(images) for name, way in ways.items()}
    for path in paths.values():
        path()
    return best_seconds(paths, rounds)


def evaluate(args: argparse.Namespace, files: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Evaluate the test set as ``tools/test.py`` and ``tools/deployment/test_onnx.py`` do."""
    figures = {}
    with TemporaryDirectory() as folder:
        for name in (EAGER, *files):
            cfg = read_config(args)
            cfg.work_dir = folder
            if name in files:
                use_exported(cfg, files[name], args.threads)
            prepare_test(cfg, args.checkpoint if name == EAGER else None)
            cfg.log_level = 'WARNING'
            figures[name] = build_runner(cfg).test()
    return figures


def print_table(rows: dict[str, dict[str, str]]) -> None:
    """Print a table in Markdown, a dash where a row has no value."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f'| | {" | ".join(columns)} |\n|{"---|" * (1 + len(columns))}')
    for name, row in rows.items():
        print(f'| {name} | {" | ".join(row.get(column, "-") for column in columns)} |')


def main() -> None:
    """Measure, and print the table."""
    args = parse_args()
    if args.accuracy and args.checkpoint is None:
        raise SystemExit('--accuracy needs --checkpoint: random weights have none')
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    with TemporaryDirectory() as folder:
        model, files = build(args, Path(folder))
        ways = make_ways(model, files, args.threads, not args.no_compile)
        latency = time_ways(ways, model.example(1), 10 * args.rounds)
        throughput = time_ways(ways, model.example(args.batch), args.rounds)
        sizes = {name: path.stat().st_size for name, path in files.items()}
        sizes[EAGER] = sum(weight.nbytes for weight in model.state_dict().values())
        figures = evaluate(args, files) if args.accuracy else {}
    rows = {}
    for name in ways:
        rows[name] = {
            'latency, ms': f'{latency[name] * 1e3:.1f}',
            'images/s': f'{args.batch / throughput[name]:.0f}',
        }
        if name in sizes:
            rows[name]['MB'] = f'{sizes[name] / 1e6:.2f}'
        for key, title in FIGURES.items():
            if name in figures:
                rows[name][title] = f'{figures[name][key]:.2f}'
    height, width = model.image_size
    load = f', load {os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''
    print(
        f'{args.config}, {height}x{width}, latency of one image, throughput of {args.batch}; '
        f'{args.threads} threads{load}; torch {torch.__version__}\n'
    )
    print_table(rows)


if __name__ == '__main__':
    main()
