"""Train a model from a config."""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from torch.distributed.elastic.multiprocessing.errors import record

from passreid.apis import build_runner, load_config
from passreid.apis.fit_config import enable_mixed_precision
from passreid.engine import Preempted
from passreid.utils import close_process_group
from passreid.utils.config_options import add_run_options, apply_run_options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, for example configs/pass/NAME.py')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue a run: from this checkpoint, or from the latest of the work directory '
        'when none or "auto" is given',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train with mixed precision (fp32 without a GPU)'
    )
    add_run_options(parser)
    return parser.parse_args()


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Put what the command line asks for into the config."""
    apply_run_options(cfg, args)
    if args.amp:
        enable_mixed_precision(cfg)
    if args.resume == 'auto':
        cfg.resume = 'auto'
    elif args.resume:
        if not Path(args.resume).is_file():
            raise FileNotFoundError(f'--resume: there is no checkpoint {args.resume}')
        cfg.resume, cfg.load_from = True, args.resume


@record
def main() -> None:
    """Train, and end the processes in order."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_arguments(cfg, args)
    runner = build_runner(cfg)
    preempted = train(runner)
    close_process_group(runner)
    if preempted:
        sys.exit(preempted)


def train(runner: Runner) -> int:
    """Train to the end, or until the process is told to end.

    Returns:
        int: Exit status: 0, or 143 when the run was told to end and is to be resumed.
    """
    try:
        runner.train()
    except Preempted as preempted:
        return preempted.code
    runner.logger.info(f'Finished. Logs and checkpoints are in {runner.work_dir}')
    return 0


if __name__ == '__main__':
    main()
