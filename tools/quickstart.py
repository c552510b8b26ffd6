"""From unlabelled crops to a report: pre-train, fine-tune, evaluate, on rendered pedestrians.

Everything is done by commands of this folder, which are printed and can be repeated. What was
interrupted goes on where it stopped when the same command is given again.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from quickstart_report import write_report

ROOT = Path(__file__).resolve().parent.parent
PRE_TRAINED = {'pass': 'pass_vit-t16_synthetic.py', 'cls': 'pass_vit-t16-cls_synthetic.py'}
# Fewer pictures, people and iterations: shows that everything works, not how well.
FAST_DATA = ('settings.unlabelled_ids=850', 'settings.test_ids=60')
FAST_PRE_TRAINING = (
    'train_cfg.max_epochs=1',
    'param_scheduler.0.end=30',
    *(f'param_scheduler.{index}.{key}=1' for index in (1, 2) for key in ('end', 'T_max')),
)
FAST_FINE_TUNING = ('train_cfg.max_epochs=10', 'param_scheduler.0.T_max=10')
# Figures of the log that are shown while it runs.
SHOWN = (
    'eta:',
    'loss:',
    'accuracy:',
    'teacher_information:',
    'reid/mAP:',
    'reid/R1:',
    'reid/mINP:',
)


@dataclass(frozen=True)
class Step:
    """A command and what it is for.

    Attributes:
        name (str): Its log is ``logs/<name>.log``.
        title (str): What it does.
        command (tuple[str, ...]): Arguments of python.
    """

    name: str
    title: str
    command: tuple[str, ...]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--fast', action='store_true', help='two minutes: all steps, little data')
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[0],
        help='repeat pre-training and fine-tuning with these seeds (default: 0)',
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='where everything is kept (default: work_dirs/quickstart, or quickstart-fast)',
    )
    parser.add_argument('--data-root', default='data/synthetic', help='where pictures are rendered')
    args = parser.parse_args()
    name = 'quickstart-fast' if args.fast else 'quickstart'
    args.work_dir = args.work_dir or Path('work_dirs') / name
    return args


def plan(folder: Path, seed: int, data_root: str, fast: bool) -> list[Step]:
    """List the steps of one seed.

    Args:
        folder (Path): Where its results go.
        seed (int): Seed of pre-training and fine-tuning.
        data_root (str): Where pictures are rendered.
        fast (bool): Whether to use little data.

    Returns:
        list[Step]: Each needs those before it.
    """
    data = FAST_DATA if fast else ()
    train_data = [f'train_dataloader.dataset.{option}' for option in data]
    test_data = [f'test_dataloader.dataset.{option}' for option in data]
    steps = []
    for name, config in PRE_TRAINED.items():
        options = [f'randomness.seed={seed}', 'default_hooks.logger.interval=20', *train_data]
        steps.append(
            Step(
                name,
                f'Pre-train {"with parts (PASS)" if name == "pass" else "[CLS] alone (control)"}',
                _train(f'configs/pass/{config}', folder / name, data_root)
                + (*options, *(FAST_PRE_TRAINING if fast else ())),
            )
        )
    epochs = 10 if fast else 30
    for name in ('scratch', 'cls', 'pass'):
        config = f'configs/supervised/vit-t8{"-cls" if name == "cls" else ""}_synthetic.py'
        weights = 'none' if name == 'scratch' else str(folder / name / 'teacher_backbone.pth')
        start = 'init_cfg=None' if name == 'scratch' else f'init_cfg.checkpoint={weights}'
        start = f'model.backbone.{start}'
        steps.append(
            Step(
                f'{name}-frozen',
                f'Evaluate {_describe(name)} before fine-tuning',
                (
                    *('tools/test.py', config, weights, '--data-root', data_root),
                    *('--work-dir', str(folder / f'{name}-frozen')),
                    *('--out', str(folder / f'{name}-frozen' / 'result')),
                    *('--cfg-options', start, f'randomness.seed={seed}', *test_data),
                ),
            )
        )
        work_dir = folder / f'{name}-tuned'
        steps.append(
            Step(
                f'{name}-tuned',
                f'Fine-tune {_describe(name)} and evaluate',
                _train(config, work_dir, data_root)
                + (
                    *(start, f'randomness.seed={seed}', *train_data),
                    *(option.replace('test_', 'val_', 1) for option in test_data),
                    f'train_cfg.val_interval={epochs // 5}',
                    f'val_evaluator.save_dir={work_dir / "result"}',
                    *(FAST_FINE_TUNING if fast else ()),
                ),
            )
        )
    return steps


def plan_pictures(folder: Path, data_root: str, fast: bool) -> list[Step]:
    """List the steps that draw what one seed has learned.

    Args:
        folder (Path): Where its results are, and where the pictures go.
        data_root (str): Where pictures of people are.
        fast (bool): As in :func:`plan`.
    """
    curves = 'tools/analysis_tools/plot_curves.py'
    options = [f'test_dataloader.dataset.{option}' for option in (FAST_DATA if fast else ())]
    legend = ('--legend', 'from scratch', '[CLS] alone', 'PASS')
    return [
        Step(
            'draw-tuning',
            'Draw the curves of fine-tuning',
            (
                *(curves, *(str(folder / f'{name}-tuned') for name in ('scratch', 'cls', 'pass'))),
                *('--keys', 'reid/mAP', 'loss', '--by', 'epoch', *legend),
                *('--out', str(folder / 'fine-tuning.png')),
            ),
        ),
        Step(
            'draw-pre-training',
            'Draw the curves of pre-training',
            (
                *(curves, str(folder / 'cls'), str(folder / 'pass')),
                *('--keys', 'loss_cls', 'teacher_information', '--legend', *legend[2:]),
                *('--out', str(folder / 'pre-training.png')),
            ),
        ),
        Step(
            'draw-ranking',
            'Draw the best and the worst queries',
            (
                *('tools/visualization/vis_ranking.py', str(folder / 'pass-tuned' / 'result')),
                *('--num', '6', '--out', str(folder / 'ranking.png')),
            ),
        ),
        *(
            Step(
                f'draw-attention-{state}',
                f'Draw where the tokens look {when} fine-tuning',
                (
                    'tools/visualization/vis_part_attention.py',
                    'configs/supervised/vit-t8_synthetic.py',
                    str(weights),
                    *(
                        '--split',
                        'query',
                        '--num',
                        '4',
                        '--out',
                        str(folder / f'attention-{state}.png'),
                    ),
                    *('--data-root', data_root, *(['--cfg-options', *options] if options else [])),
                ),
            )
            for state, when, weights in (
                ('frozen', 'before', folder / 'pass' / 'teacher_backbone.pth'),
                ('tuned', 'after', folder / 'pass-tuned' / f'epoch_{10 if fast else 30}.pth'),
            )
        ),
    ]


def _describe(name: str) -> str:
    return {'scratch': 'a fresh network', 'cls': 'the control', 'pass': 'the PASS weights'}[name]


def _train(config: str, work_dir: Path, data_root: str) -> tuple[str, ...]:
    return (
        *('tools/train.py', config, '--work-dir', str(work_dir)),
        *('--data-root', data_root, '--cfg-options'),
    )


def run(step: Step, folder: Path, heading: str) -> float:
    """Run a step, unless it was run before.

    Args:
        step (Step): The step.
        folder (Path): Where its log goes and what was done is remembered.
        heading (str): What to print before its title.

    Returns:
        float: How long it took, in seconds.

    Raises:
        SystemExit: When the command fails, or the folder holds the results of another one.
    """
    logs = ROOT / folder / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    started, done = logs / f'{step.name}.command.json', logs / f'{step.name}.done.json'
    if started.is_file() and json.loads(started.read_text()) != list(step.command):
        sys.exit(
            f'{folder} holds results of other settings ({started}): remove it, or choose another '
            'folder with --work-dir'
        )
    if done.is_file():
        print(f'{heading} {step.title}: done before')
        return json.loads(done.read_text())['seconds']
    started.write_text(json.dumps(step.command))
    print(f'\n{heading} {step.title}\n    python {shlex.join(step.command)}', flush=True)
    begin = time.monotonic()
    log = logs / f'{step.name}.log'
    with log.open('a') as file:
        process = subprocess.Popen(
            [sys.executable, *step.command, *_resume(step)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            if shown := _worth_showing(line):
                print(f'    {shown}', flush=True)
    if process.wait():
        lines = log.read_text().splitlines()[-15:]
        sys.exit('\n'.join([*lines, f'\n{step.title}: failed. The whole log is in {log}']))
    seconds = time.monotonic() - begin
    done.write_text(json.dumps({'seconds': seconds}))
    return seconds


def _resume(step: Step) -> tuple[str, ...]:
    """Return what makes an interrupted training go on."""
    if '--work-dir' not in step.command or step.command[0] != 'tools/train.py':
        return ()
    work_dir = ROOT / step.command[step.command.index('--work-dir') + 1]
    return ('--resume',) if (work_dir / 'last_checkpoint').is_file() else ()


def _worth_showing(line: str) -> str:
    """Return what of a line of the log tells about progress, or nothing."""
    _, _, message = line.rstrip().partition(' - INFO - ')
    if message.startswith('Epoch('):
        place, figures = message.partition(']  ')[::2]
        shown = [one for one in figures.split('  ') if one.strip().startswith(SHOWN)]
        return '  '.join([f'{place}]', *shown])
    if ' - WARNING - ' in line or line.startswith('Rendering'):
        return line.rstrip()
    return ''


def _from_root(path: Path) -> Path:
    """Name a path as the commands see it, which run in the root of the checkout."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main() -> None:
    """Run all steps and write the report."""
    args = parse_args()
    folder, data_root = _from_root(args.work_dir), str(_from_root(Path(args.data_root)))
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
