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
from measure import best_seconds
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import Tensor

from passreid.apis import build_runner, get_model, load_config, prepare_test
from passreid.deployment import ExportableModel, ExportedModel, export_onnx, quantize_onnx
from passreid.utils.config_options import add_config_options, apply_config_options

EAGER, COMPILED, FLOAT, INT8 = (
    'torch',
    'torch.compile',
    'onnxruntime float32',
    'onnxruntime int8 (dynamic)',
)


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
    args = parser.parse_args()
    if args.accuracy and args.checkpoint is None:
        parser.error('--accuracy needs --checkpoint: random weights have none')
    return args


def read_config(args: argparse.Namespace) -> Config:
    """Read the config with the options of the command line."""
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    return cfg


def make_ways(
    model: ExportableModel, folder: Path, threads: int, compiled: bool
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return what takes images and gives features, by name; files are written to the folder."""
    ways: dict[str, Callable[[Tensor], Tensor]] = {EAGER: torch.inference_mode()(model)}
    if compiled:
        # For each size a graph of its own, as onnxruntime plans its memory for each.
        ways[COMPILED] = torch.inference_mode()(torch.compile(model, dynamic=False))
    export_onnx(model, folder / 'model.onnx')
    quantize_onnx(folder / 'model.onnx', folder / 'model.int8.onnx')
    ways[FLOAT] = ExportedModel(folder / 'model.onnx', threads)
    ways[INT8] = ExportedModel(folder / 'model.int8.onnx', threads)
    return ways


def time_ways(
    ways: dict[str, Callable[[Tensor], Tensor]], images: Tensor, rounds: int
) -> dict[str, float]:
    """Return the seconds of the best round of each way, none of which is the first."""
    paths = {name: lambda way=way: way(images) for name, way in ways.items()}
    best_seconds(paths, 1)
    return best_seconds(paths, rounds)


def evaluate(args: argparse.Namespace, path: Path | None) -> dict[str, float]:
    """Evaluate the test set as ``tools/test.py`` and ``tools/deployment/test_onnx.py`` do."""
    cfg = read_config(args)
    if path:
        preprocessor = cfg.model.data_preprocessor
        cfg.model = dict(type='ExportedTestModel', path=str(path), data_preprocessor=preprocessor)
        cfg.model.num_threads = args.threads
    prepare_test(cfg, None if path else args.checkpoint)
    cfg.log_level = 'WARNING'
    with TemporaryDirectory() as folder:
        cfg.work_dir = folder
        return build_runner(cfg).test()


def main() -> None:
    """Measure, and print the table."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    model = ExportableModel(get_model(read_config(args), args.checkpoint))
    columns = ['latency, ms', 'images/s', 'MB', *(['mAP', 'Rank-1'] if args.accuracy else [])]
    rows = []
    with TemporaryDirectory() as folder:
        ways = make_ways(model, Path(folder), args.threads, not args.no_compile)
        latency = time_ways(ways, model.info.noise(1), 10 * args.rounds)
        throughput = time_ways(ways, model.info.noise(args.batch), args.rounds)
        for name, way in ways.items():
            row = [f'{latency[name] * 1e3:.1f}', f'{args.batch / throughput[name]:.0f}']
            if name == COMPILED:
                row += ['-'] * (len(columns) - 2)
            else:
                path = way.path if isinstance(way, ExportedModel) else None
                weights = sum(weight.nbytes for weight in model.state_dict().values())
                row.append(f'{(path.stat().st_size if path else weights) / 1e6:.2f}')
                if args.accuracy:
                    figures = evaluate(args, path)
                    row += [f'{figures[key]:.2f}' for key in ('reid/mAP', 'reid/R1')]
            rows.append([name, *row])
    height, width = model.info.input_size
    print(
        f'{args.config}, {height}x{width}, latency of one image, throughput of {args.batch}; '
        f'{args.threads} threads, load {os.getloadavg()[0]:.1f}; torch {torch.__version__}\n'
    )
    for line in [['', *columns], ['---'] * (1 + len(columns)), *rows]:
        print(f'| {" | ".join(line)} |')


if __name__ == '__main__':
    main()
