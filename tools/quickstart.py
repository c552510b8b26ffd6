"""From unlabelled crops to a report: pre-train, fine-tune, evaluate, on rendered pedestrians.

Everything is done by commands of this folder, which are printed and can be repeated. What was
interrupted goes on where it stopped when the same command is given again.
"""

import gc
import io
import json
import os
import re
import runpy
import shlex
import sys
import time
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from quickstart_report import write_report

ROOT = Path(__file__).resolve().parent.parent
# Figures of the log that are shown while it runs.
SHOWN = re.compile(
    r'Epoch\(.*\d\]|\b(?:eta|loss|accuracy|teacher_information|reid/(?:mAP|R1|mINP)): \S+'
)
NAMES = {'scratch': 'a fresh network', 'cls': 'the control', 'pass': 'the PASS weights'}
# Fewer pictures, people and iterations: shows that everything works, not how well.
FAST_DATA = ('settings.unlabelled_ids=850', 'settings.test_ids=60')
FAST_PRE_TRAINING = (
    'train_cfg.max_epochs=1',
    'param_scheduler.0.end=30',
    *(f'param_scheduler.{index}.{key}=1' for index in (1, 2) for key in ('end', 'T_max')),
)
FAST_EPOCHS = 10


@dataclass(frozen=True)
class Step:
    """A command and what it is for."""

    name: str  # Its log is logs/<name>.log.
    title: str
    command: tuple[str, ...]  # Arguments of python.


def plan(folder: Path, seed: int, data_root: str, fast: bool) -> list[Step]:
    """List the steps of one seed, each of which needs those before it."""

    def train(config: str, work_dir: Path, *options: str) -> tuple[str, ...]:
        return (
            *('tools/train.py', config, '--work-dir', str(work_dir), '--data-root', data_root),
            # Persistent workers take seconds to end where the process goes on.
            *('--cfg-options', 'train_dataloader.persistent_workers=False'),
            *(f'randomness.seed={seed}', *fast_data('train', fast), *options),
        )

    steps = []
    for name, title in (('pass', 'with parts (PASS)'), ('cls', '[CLS] alone (control)')):
        options = ('default_hooks.logger.interval=20', *(FAST_PRE_TRAINING if fast else ()))
        config = f'configs/pass/pass_vit-t8{"-cls" if name == "cls" else ""}_synthetic.py'
        command = train(config, folder / name, *options)
        steps.append(Step(name, f'Pre-train {title}', command))
    for name, what in NAMES.items():
        config = f'configs/supervised/vit-t8{"-cls" if name == "cls" else ""}_synthetic.py'
        weights, start = 'none', 'model.backbone.init_cfg=None'
        if name != 'scratch':
            weights = str(folder / name / 'teacher_backbone.pth')
            start = f'model.backbone.init_cfg.checkpoint={weights}'
        frozen, tuned = folder / f'{name}-frozen', folder / f'{name}-tuned'
        command = (
            *('tools/test.py', config, weights, '--data-root', data_root),
            *('--work-dir', str(frozen), '--out', str(frozen / 'result')),
            *('--cfg-options', start, f'randomness.seed={seed}', *fast_data('test', fast)),
        )
        steps.append(Step(f'{name}-frozen', f'Evaluate {what} before fine-tuning', command))
        options = (
            *(start, *fast_data('val', fast), f'val_evaluator.save_dir={tuned / "result"}'),
            f'train_cfg.val_interval={2 if fast else 6}',
            *((f'train_cfg.max_epochs={FAST_EPOCHS}',) if fast else ()),
            *((f'param_scheduler.0.T_max={FAST_EPOCHS}',) if fast else ()),
        )
        command = train(config, tuned, *options)
        steps.append(Step(f'{name}-tuned', f'Fine-tune {what} and evaluate', command))
    return steps


def plan_pictures(folder: Path, data_root: str, fast: bool) -> list[Step]:
    """List the steps that draw what one seed has learned, beside its results."""
    curves = 'tools/analysis_tools/plot_curves.py'
    legend = ('--legend', 'from scratch', '[CLS] alone', 'PASS')
    steps = {
        ('draw-tuning', 'the curves of fine-tuning', 'fine-tuning'): (
            *(curves, *(str(folder / f'{name}-tuned') for name in NAMES)),
            *('--keys', 'reid/mAP', 'loss', '--by', 'epoch', *legend),
        ),
        ('draw-pre-training', 'the curves of pre-training', 'pre-training'): (
            *(curves, str(folder / 'cls'), str(folder / 'pass')),
            *('--keys', 'loss', 'teacher_information', '--legend', *legend[2:]),
        ),
        ('draw-ranking', 'the best and the worst queries', 'ranking'): (
            *('tools/visualization/vis_ranking.py', str(folder / 'pass-tuned' / 'result')),
            *('--num', '6'),
        ),
    }
    for state, when, weights in (
        ('frozen', 'before', folder / 'pass' / 'teacher_backbone.pth'),
        ('tuned', 'after', folder / 'pass-tuned' / f'epoch_{FAST_EPOCHS if fast else 30}.pth'),
    ):
        name = f'attention-{state}'
        steps[f'draw-{name}', f'where the tokens look {when} fine-tuning', name] = (
            'tools/visualization/vis_part_attention.py',
            *('configs/supervised/vit-t8_synthetic.py', str(weights)),
            *('--split', 'query', '--num', '4', '--data-root', data_root),
            *(('--cfg-options', *fast_data('test', fast)) if fast else ()),
        )
    return [
        Step(name, f'Draw {what}', (*command, '--out', str(folder / f'{picture}.png')))
        for (name, what, picture), command in steps.items()
    ]


def fast_data(split: str, fast: bool) -> list[str]:
    """Return the options that make a data set small."""
    return [f'{split}_dataloader.dataset.{option}' for option in (FAST_DATA if fast else ())]


def run(step: Step, folder: Path, heading: str) -> float:
    """Run a step, unless its folder tells that it was run; return how many seconds it took."""
    logs = ROOT / folder / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    record = logs / f'{step.name}.json'
    known = json.loads(record.read_text()) if record.is_file() else {}
    if known and known['command'] != list(step.command):
        sys.exit(
            f'{folder} holds results of other settings ({record}): remove it, or choose '
            'another folder with --work-dir'
        )
    if 'seconds' in known:
        print(f'{heading} {step.title}: done before')
        return known['seconds']
    resume = ('--resume',) if known and step.command[0] == 'tools/train.py' else ()
    record.write_text(json.dumps(dict(command=step.command)))
    print(f'\n{heading} {step.title}\n    python {shlex.join(step.command)}', flush=True)
    begin = time.monotonic()
    log = logs / f'{step.name}.log'
    # By lines: forked workers would write what is still in a buffer once more.
    with log.open('a', buffering=1) as file:
        progress = Progress(file)
        with redirect_stdout(progress), redirect_stderr(progress):
            failed = call((*step.command, *resume))
    if failed:
        lines = log.read_text().splitlines()[-15:]
        sys.exit('\n'.join([*lines, f'\n{step.title}: failed. The whole log is in {log}']))
    seconds = time.monotonic() - begin
    record.write_text(json.dumps(dict(command=step.command, seconds=seconds)))
    return seconds


def call(command: Sequence[str]) -> bool:
    """Run a program in this process, which has loaded its libraries; return whether it failed."""
    arguments, sys.argv = sys.argv, list(command)
    try:
        runpy.run_path(str(ROOT / command[0]), run_name='__main__')
    except SystemExit as end:
        if end.code:
            print(end.code)
        return bool(end.code)
    except Exception:
        print(traceback.format_exc())
        return True
    finally:
        sys.argv = arguments
        # Data loaders of the run end their workers when they are collected.
        gc.collect()
    return False


class Progress(io.TextIOBase):
    """Writes everything to a log, and shows in short what tells about progress."""

    def __init__(self, log: TextIO) -> None:
        self._log, self._line = log, ''

    def write(self, text: str) -> int:
        """Write to the log; show what is worth it once its line has ended."""
        self._log.write(text)
        *lines, self._line = (self._line + text).split('\n')
        for line in lines:
            shown = line if ' - WARNING - ' in line or line.startswith('Rendering') else ''
            if ' - INFO - Epoch(' in line:
                shown = '  '.join(SHOWN.findall(line))
            if shown:
                print(f'    {shown.rstrip()}', file=sys.__stdout__, flush=True)
        return len(text)


def _from_root(path: Path) -> Path:
    """Name a path as the commands see it, which run in the root of the checkout."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> None:
    """Run all steps and write the report."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('--fast', action='store_true', help='two minutes: all steps, little data')
    text = 'repeat pre-training and fine-tuning with these seeds (default: 0)'
    option('--seeds', type=int, nargs='+', default=[0], help=text)
    text = 'where everything is kept (default: work_dirs/quickstart, or quickstart-fast)'
    option('--work-dir', type=Path, help=text)
    option('--data-root', default='data/synthetic', help='where pictures are rendered')
    args = parser.parse_args()
    folder = args.work_dir or Path('work_dirs', 'quickstart-fast' if args.fast else 'quickstart')
    folder, data_root = _from_root(folder), str(_from_root(Path(args.data_root)))
    os.chdir(ROOT)
    steps = [
        (folder / f'seed-{seed}', step)
        for seed in args.seeds
        for step in plan(folder / f'seed-{seed}', seed, data_root, args.fast)
    ]
    first = folder / f'seed-{args.seeds[0]}'
    steps += [(first, step) for step in plan_pictures(first, data_root, args.fast)]
    seconds = 0.0
    for number, (place, step) in enumerate(steps, start=1):
        seconds += run(step, place, f'[{number}/{len(steps)}]')
    commands = [step.command for place, step in steps if place == first]
    report, table = write_report(ROOT / folder, args.seeds, commands, seconds, args.fast)
    print(f'\n{table}\n\n{seconds / 60:.1f} minutes of work. The report is {report}')


if __name__ == '__main__':
    main()
