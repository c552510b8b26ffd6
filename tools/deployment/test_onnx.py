"""Test an exported file: mAP, CMC and mINP on the test set of a config.

Data and metric are those of tools/test.py, so that the figures can be compared.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

from passreid.apis import build_runner, load_config, prepare_test
from passreid.deployment import ExportedTestModel
from passreid.deployment.runtimes import RUNTIMES
from passreid.utils import close_process_group
from passreid.utils.config import add_run_options, apply_run_options


def main() -> None:
    """Test, and end the process in order."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file, for example configs/supervised/NAME.py')
    option('model', help='file of tools/deployment/export_onnx.py')
    option('--rerank', action='store_true', help='report figures after re-ranking as well')
    option('--out', metavar='DIR', help='save features and rankings, for tools/visualization')
    option('--threads', type=int, default=0, help='of the runtime (default: it chooses)')
    option('--runtime', choices=RUNTIMES, default='onnxruntime', help='default: onnxruntime')
    add_run_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_run_options(cfg, args)
    cfg.model = dict(
        type=ExportedTestModel.__name__,
        path=args.model,
        data_preprocessor=cfg.model.data_preprocessor,
        num_threads=args.threads,
        runtime=args.runtime,
    )
    prepare_test(cfg, None, out=args.out, rerank=args.rerank)
    runner = build_runner(cfg)
    runner.test()
    close_process_group(runner)


if __name__ == '__main__':
    main()
