"""Train a model from a config."""

import argparse
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import record

from passreid.apis import build_runner, load_config
from passreid.apis.fit_config import enable_mixed_precision
from passreid.utils import close_process_group
from passreid.utils.config import add_run_options, apply_run_options


@record
def main() -> None:
    """Train, and end the processes in order; with 143 when told to end, and to be resumed."""
    parser = argparse.ArgumentParser(description=__doc__)
    option = parser.add_argument
    option('config', help='config file, for example configs/pass/NAME.py')
    text = 'continue from this checkpoint (default: the latest of the work directory)'
    option('--resume', nargs='?', const='auto', metavar='CHECKPOINT', help=text)
    option('--amp', action='store_true', help='train with mixed precision (fp32 without a GPU)')
    add_run_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_run_options(cfg, args)
    if args.amp:
        enable_mixed_precision(cfg)
    if args.resume == 'auto':
        cfg.resume = 'auto'
    elif args.resume:
        if not Path(args.resume).is_file():
            raise FileNotFoundError(f'--resume: there is no checkpoint {args.resume}')
        cfg.resume, cfg.load_from = True, args.resume
    runner = build_runner(cfg)
    status = 0
    try:
        runner.train()
        runner.logger.info(f'Finished. Logs and checkpoints are in {runner.work_dir}')
    except SystemExit as told:
        status = told.code
    close_process_group(runner)
    if status:
        sys.exit(status)


if __name__ == '__main__':
    main()
