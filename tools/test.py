"""Test a model: mAP, CMC and mINP on one or several test sets."""

import argparse

from torch.distributed.elastic.multiprocessing.errors import record

from passreid.apis import build_runner, load_config, prepare_test
from passreid.utils import close_process_group
from passreid.utils.config import add_run_options, apply_run_options
from passreid.utils.distributed import unwrap_model


@record
def main() -> None:
    """Test, and end the processes in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    option = parser.add_argument
    option('config', help='config file, for example configs/supervised/NAME.py')
    option(
        'checkpoint',
        help='weights: a checkpoint of training or pre-training, teacher_backbone.pth, or a file '
        "of the authors' code; 'none' for the weights that training would start from",
    )
    option('--rerank', action='store_true', help='report figures after re-ranking as well')
    text = 'average the features of each image and its mirror image'
    option('--tta', choices=['flip'], help=text)
    option('--out', metavar='DIR', help='save features and rankings, for tools/visualization')
    text = 'test on the data sets of these files, such as configs/_base_/datasets/msmt17.py'
    option('--test-sets', nargs='+', metavar='FILE', default=[], help=text)
    add_run_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_run_options(cfg, args)
    untrained = args.checkpoint == 'none'
    prepare_test(
        cfg,
        None if untrained else args.checkpoint,
        out=args.out,
        rerank=args.rerank,
        flip=args.tta == 'flip',
        test_sets=args.test_sets,
    )
    runner = build_runner(cfg)
    if untrained:
        unwrap_model(runner.model).init_weights()
    runner.test()
    close_process_group(runner)


if __name__ == '__main__':
    main()
